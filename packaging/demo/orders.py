"""A small shop's evening batch, over and over: the workload that `packaging/quickstart` shows Pycroscope on.

Each thread parses orders (JSON), checks addresses (regular expressions), ranks customers (sorting) and adds up a tree of
categories (recursion). Ends when its standard input does.
"""

import json
import random
import re
import sys
import threading

ADDRESS = re.compile(r"^(?P<street>[\w ]+?) (?P<number>\d+)[a-z]?, (?P<code>\d{5}) (?P<city>[\w ]+)$")
CATEGORIES = 6


def make_orders(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [
        json.dumps(
            {
                "id": number,
                "customer": f"customer-{rng.randrange(count // 5)}",
                "address": f"Long Lane {rng.randrange(200)}, {rng.randrange(10000, 99999)} Springfield",
                "items": [{"sku": rng.randrange(10**6), "cents": rng.randrange(10**5)} for _ in range(4)],
            }
        )
        for number in range(count)
    ]


def parse_orders(lines: list[str]) -> list[dict]:
    return [json.loads(line) for line in lines]


def check_addresses(orders: list[dict]) -> int:
    return sum(ADDRESS.match(order["address"]) is not None for order in orders)


def order_total(order: dict) -> int:
    total = 0
    for item in order["items"]:
        total += item["cents"]
    return total


def rank_customers(orders: list[dict]) -> list[tuple[str, int]]:
    totals: dict[str, int] = {}
    for order in orders:
        totals[order["customer"]] = totals.get(order["customer"], 0) + order_total(order)
    return sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))


def add_up_category(depth: int, cents: int) -> int:
    if depth == 0:
        return cents
    return sum(add_up_category(depth - 1, cents // 3 + child) for child in range(3))


def evening_batch(lines: list[str]) -> None:
    orders = parse_orders(lines)
    check_addresses(orders)
    ranking = rank_customers(orders)
    add_up_category(CATEGORIES, ranking[0][1])


def work_for_ever(seed: int) -> None:
    lines = make_orders(seed, 400)
    while True:
        evening_batch(lines)


def main() -> None:
    for seed in range(3):
        threading.Thread(target=work_for_ever, args=(seed,), name=f"shop-{seed}", daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
