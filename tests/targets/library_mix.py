"""Some seconds of what programs do with the standard library: JSON, regular expressions, text, sorting, parsing, hashing."""

import ast
import collections
import decimal
import hashlib
import inspect
import json
import random
import re
import textwrap
import tokenize


def documents(rng, count):
    return [{"id": i, "tags": [f"t{rng.randrange(40)}" for _ in range(5)], "text": "lorem ipsum " * 4} for i in range(count)]


def round_trip(items):
    return json.loads(json.dumps(items, indent=1), object_pairs_hook=collections.OrderedDict)


def words(source):
    return collections.Counter(match.group().lower() for match in re.finditer(r"[A-Za-z_]\w+", source))


class Visitor(ast.NodeVisitor):
    def __init__(self):
        self.names = collections.Counter()

    def visit_Name(self, node):
        self.names[node.id] += 1
        self.generic_visit(node)


def parse(source):
    visitor = Visitor()
    visitor.visit(ast.parse(source))
    return visitor.names


def main():
    rng = random.Random(1)
    source = inspect.getsource(tokenize) + inspect.getsource(textwrap)
    for _ in range(12):
        items = round_trip(documents(rng, 60))
        items.sort(key=lambda item: (item["tags"], item["id"]))
        words(source)
        parse(source)
        textwrap.fill(source[:20000], width=60)
        hashlib.sha256(json.dumps(items).encode()).hexdigest()
        sum((decimal.Decimal(i) / 7 for i in range(300)), decimal.Decimal())
        list(tokenize.generate_tokens(iter(source.splitlines(True)).__next__))


main()
