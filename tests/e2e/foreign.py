"""Readers of foreign formats, written from their descriptions: each refuses what these forbid, and says what a file holds."""

from __future__ import annotations

import collections
import html.parser

# https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU, "Complete Events" and "Metadata Events"
COMPLETE = {"ph": str, "name": str, "cat": str, "ts": (int, float), "dur": (int, float), "pid": int, "tid": int, "args": dict}
METADATA = {"process_name": "name", "thread_name": "name"}


class ChromeTrace:
    """A trace in the Trace Event Format."""

    def __init__(self, document: dict):
        assert document["displayTimeUnit"] in ("ms", "ns")
        self.threads: dict[tuple[int, int], list[dict]] = collections.defaultdict(list)
        self.names: dict[tuple[str, int, int], str] = {}
        for event in document["traceEvents"]:
            if event["ph"] == "M":
                name = event["args"][METADATA[event["name"]]]
                assert isinstance(name, str), event
                self.names[event["name"], event["pid"], event["tid"]] = name
            else:
                self._add(event)
        for events in self.threads.values():
            self._nest(events)

    def _add(self, event: dict) -> None:
        assert event["ph"] == "X", event
        for key, kind in COMPLETE.items():
            assert isinstance(event[key], kind), (key, event)
        assert event["ts"] >= 0 and event["dur"] >= 0, event
        assert ("thread_name", event["pid"], event["tid"]) in self.names, event
        self.threads[event["pid"], event["tid"]].append(event)

    @staticmethod
    def _nest(events: list[dict]) -> None:
        """Gives each event its depth; they have to lie within each other or apart, outer ones first."""
        open_events: list[dict] = []
        nanoseconds = [(round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)) for event in events]
        assert nanoseconds == sorted(nanoseconds, key=lambda span: span[0]), "events are not in order of time"
        for event, (begin, end) in zip(events, nanoseconds, strict=True):
            while open_events and open_events[-1]["end"] <= begin and (end > begin or open_events[-1]["end"] < begin):
                open_events.pop()
            assert not open_events or end <= open_events[-1]["end"], ("overlap", open_events[-1], event)
            event["end"], event["depth"] = end, len(open_events)
            open_events.append(event)

    def sum(self, key: str) -> int:
        return sum(event["args"][key] for events in self.threads.values() for event in events if event["depth"] == 0)

    def functions(self) -> set[str]:
        return {event["name"] for events in self.threads.values() for event in events}


# https://github.com/firefox-devtools/profiler: src/types/profile.ts and docs-developer/CHANGELOG-formats.md, version 60
GECKO_COLUMNS = {
    "stackTable": "prefix frame",
    "frameTable": "address inlineDepth category subcategory func nativeSymbol innerWindowID line column",
    "funcTable": "name isJS relevantForJS resource source lineNumber columnNumber",
    "resourceTable": "lib name host type",
    "nativeSymbols": "libIndex address name functionSize",
    "sources": "filename uuid",
}
GECKO_COLOURS = set(
    [
        "transparent",
        "purple",
        "green",
        "orange",
        "yellow",
        "lightblue",
        "blue",
        "brown",
        "magenta",
        "red",
        "lightred",
        "darkgrey",
        "grey",
    ]
)


def check_columns(table: dict, columns: str) -> None:
    for column in columns.split():
        assert len(table[column]) == table["length"], column


def check_references(column: list, count: int, nullable: bool = False) -> None:
    for value in column:
        assert (nullable and value is None) or (isinstance(value, int) and 0 <= value < count), value


class GeckoProfile:
    """A profile in the Firefox Profiler's processed format."""

    def __init__(self, profile: dict):
        self.meta, self.shared, self.threads = profile["meta"], profile["shared"], profile["threads"]
        assert profile["libs"] == []
        self._check_meta()
        self._check_shared()
        for thread in self.threads:
            self._check_thread(thread)

    def _check_meta(self) -> None:
        meta = self.meta
        assert meta["preprocessedProfileVersion"] == 60 and meta["interval"] > 0 and meta["startTime"] >= 0
        for key in ("version", "processType", "product", "stackwalk", "markerSchema"):
            assert key in meta
        assert set(meta["sampleUnits"]) == {"time", "eventDelay", "threadCPUDelta"}
        for category in meta["categories"]:
            assert category["color"] in GECKO_COLOURS and category["subcategories"][0] == "Other" and category["name"]
        assert any(category["color"] == "grey" for category in meta["categories"]), "no default category"

    def _check_shared(self) -> None:
        shared = self.shared
        for table, columns in GECKO_COLUMNS.items():
            check_columns(shared[table], columns)
        stacks, frames, functions = shared["stackTable"], shared["frameTable"], shared["funcTable"]
        check_references(stacks["frame"], frames["length"])
        for index, prefix in enumerate(stacks["prefix"]):
            assert prefix is None or 0 <= prefix < index, "a stack before its caller's"
        check_references(frames["func"], functions["length"])
        check_references(frames["category"], len(self.meta["categories"]))
        check_references(functions["name"], len(shared["stringArray"]))
        check_references(functions["source"], shared["sources"]["length"], nullable=True)
        check_references(shared["sources"]["filename"], len(shared["stringArray"]))
        assert all(isinstance(text, str) for text in shared["stringArray"])

    def _check_thread(self, thread: dict) -> None:
        assert isinstance(thread["pid"], str) and isinstance(thread["tid"], int) and thread["name"]
        assert isinstance(thread["isMainThread"], bool) and thread["processType"] == "default"
        check_columns(thread["markers"], "data name startTime endTime phase category")
        samples = thread["samples"]
        check_columns(samples, "stack time weight")
        if "threadCPUDelta" in samples:
            check_columns(samples, "threadCPUDelta")
        assert samples["time"] == sorted(samples["time"])
        assert samples["weightType"] in ("samples", "tracing-ms")
        check_references(samples["stack"], self.shared["stackTable"]["length"], nullable=True)

    def sum(self) -> float:
        """Of all samples' weights: samples or milliseconds."""
        return sum(weight for thread in self.threads for weight in thread["samples"]["weight"])

    def functions(self) -> set[str]:
        return {self.shared["stringArray"][name] for name in self.shared["funcTable"]["name"]}


class HtmlPage(html.parser.HTMLParser):
    """A page of ours: its table's rows and the flame graph's frames. Unclosed or wrongly nested elements are refused."""

    VOID = frozenset({"meta", "br", "rect"})

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.figures: list[list[int]] = []
        self.frames: list[tuple[int, int, int, str]] = []
        self.elements: collections.Counter[str] = collections.Counter()
        self.feed(text)
        self.close()
        assert not self.open, f"unclosed: {self.open}"

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.elements[tag] += 1
        for name, value in attributes:
            assert not name.startswith("on"), f"a script in {name}"
            fetches = name in ("src", "href", "action", "data", "poster", "srcset")
            assert not fetches, f"<{tag} {name}={value}> leads outside"
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.figures.append([])
        if tag == "td":
            self.rows[-1].append("")
            if "data-v" in values:
                self.figures[-1].append(int(values["data-v"]))
        if values.get("class") == "f":
            begin, value, depth = map(int, values["data-p"].split(","))
            self.frames.append((begin, value, depth, values["data-n"]))

    def handle_startendtag(self, tag, attributes):
        self.elements[tag] += 1

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.rows[-1][-1] += data
