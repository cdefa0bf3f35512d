"""Reads the site's formats with the libraries that their users have; the first wrong one ends it."""

import json
import re
import sys
import urllib.error
import urllib.request
from io import StringIO

import feedparser
import rispy
from lxml import etree
from pybtex.database import parse_string

SITE = sys.argv[1]
HOSTILE = int(sys.argv[2]) + 1
ATOM = "{http://www.w3.org/2005/Atom}"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def get(path, headers=None):
    request = urllib.request.Request(SITE + path, headers=headers or {})
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers


def check(condition, *what):
    if not condition:
        print("WRONG:", *what)
        sys.exit(1)


def lists(extension):
    """The hostile day, all papers, a search, an author, a tag and a paper."""
    return [
        f"/papers/date/2025-09-10{extension}",
        f"/papers/all{extension}",
        f"/papers/trending{extension}",
        f"/papers/week/2025-W37{extension}?sort=title",
        f"/daily{extension}",
        f"/search{extension}?q=experts",
        f"/search{extension}?q=author%3A%22Ada%20Lovelace%22",
        f"/search{extension}?q=tag%3Agates",
    ]


def bibtex():
    keys = set()
    for path in lists(".bib") + ["/papers/2501.00000.bib"]:
        text = get(path)[0].decode()
        entries = parse_string(text, "bibtex").entries
        check(len(entries) == text.count("\n@") + text.startswith("@"), path, len(entries))
        if "date/2025-09-10" not in path:
            continue
        check(len(entries) == HOSTILE, path, len(entries))
        for key, entry in entries.items():
            check(key not in keys, "key twice", key)
            keys.add(key)
            check(entry.type == "misc" and entry.fields["archivePrefix"] == "arXiv", key)
            check(entry.fields["eprint"] == key and entry.fields["year"] == "2025", key)
            check(entry.fields["url"] == f"https://arxiv.org/abs/{key}", key)
            people = [str(person) for person in entry.persons["author"]]
            check(people[:3] == ["Lovelace, Ada", "{Alice and Bob}", "{Acme, Inc.}"], people)
            check(len(people) == 4, people)
        check(r"50\% of {{\textbackslash}LaTeX} \& others" in entries["2501.00002"].fields["title"],
              entries["2501.00002"].fields["title"])
        check(entries["2501.00011"].fields["title"].startswith("{BERT} meets {T5}: Pre"),
              entries["2501.00011"].fields["title"])


def ris():
    for path in lists(".ris") + ["/papers/2501.00000.ris"]:
        text = get(path)[0].decode()
        references = rispy.load(StringIO(text.replace("\r\n", "\n")))
        check(len(references) == text.count("\r\nER  - ") and references, path, len(references))
        for reference in references:
            check("unknown_tag" not in reference, path, reference)
        if "date/2025-09-10" in path:
            check(len(references) == HOSTILE, path, len(references))
            check(all(r["type_of_reference"] == "UNPB" for r in references), path)
            check(all(r["authors"][0] == "Lovelace, Ada" for r in references), path)
            titles = {r["id"]: r["title"] for r in references}
            check(titles["2501.00004"] == "Two lines TY - JOUR", titles["2501.00004"])
            check(titles["2501.00000"] == "An { open brace", titles["2501.00000"])


def csl():
    for path in lists(".csl.json") + ["/papers/2501.00000.csl.json"]:
        items = json.loads(get(path)[0])
        check(items and isinstance(items, list), path)
        for item in items:
            check(isinstance(item["id"], str), path, item)
            check(item["type"] in {"article", "article-journal"}, path, item)
            for author in item.get("author", []):
                check(set(author) in ({"family", "given"}, {"literal"}, {"family", "given", "suffix"}), author)
            for part in item.get("issued", {}).get("date-parts", []):
                check(1 <= len(part) <= 3 and all(isinstance(n, int) for n in part), item)
        if "date/2025-09-10" in path:
            check(len(items) == HOSTILE, path, len(items))
            check(items[0]["author"][1] == {"literal": "Alice and Bob"}, items[0])


def atom_rules(path, text):
    """What RFC 4287 asks of a feed beyond its syntax."""
    feed = etree.fromstring(text)
    check(feed.tag == ATOM + "feed", path)

    def once(element, name):
        found = element.findall(ATOM + name)
        check(len(found) == 1, path, name, len(found))
        return found[0]

    for name in ("id", "title", "updated"):
        once(feed, name)
    check(DATE.fullmatch(once(feed, "updated").text), path)
    selves = [link for link in feed.findall(ATOM + "link") if link.get("rel") == "self"]
    check(len(selves) == 1 and selves[0].get("href") == SITE + path, path, selves)
    check(feed.find(f"{ATOM}author/{ATOM}name").text, path)
    ids, newest = set(), ""
    for entry in feed.findall(ATOM + "entry"):
        name = once(entry, "id").text
        check(name.startswith("urn:uuid:") and name not in ids, path, name)
        ids.add(name)
        check(once(entry, "title").text, path, name)
        updated = once(entry, "updated").text
        check(DATE.fullmatch(updated) and DATE.fullmatch(once(entry, "published").text), path)
        newest = max(newest, updated)
        for author in entry.findall(ATOM + "author"):
            check(once(author, "name").text, path, name)
        alternates = [x for x in entry.findall(ATOM + "link") if x.get("rel") == "alternate"]
        check(len(alternates) == 1 and alternates[0].get("href").startswith(SITE), path, name)
        check(once(entry, "content").get("type") == "html", path, name)
    if ids:
        check(once(feed, "updated").text == newest, path)
    return ids


def atom():
    record = "/papers/2501.00000.atom"
    for path in lists(".atom") + ["/verdicts.atom", record]:
        text, headers = get(path)
        parsed = feedparser.parse(text, response_headers={"content-type": headers["content-type"]})
        check(parsed.bozo == 0, path, parsed.get("bozo_exception"))
        check(parsed.version == "atom10", path, parsed.version)
        ids = atom_rules(path, text)
        check(len(ids) == len(parsed.entries), path)
        check(ids or path == record, path, "is empty")
        check(b"<script" not in text, path)
        again = feedparser.parse(SITE + path, etag=headers["etag"])
        check(again.status == 304, path, again.get("status"))
        if headers["last-modified"]:
            again = feedparser.parse(SITE + path, modified=headers["last-modified"])
            check(again.status == 304, path, again.get("status"))
        other = json.loads(get(path.replace(".atom", ".feed.json"))[0])
        check(other["version"] == "https://jsonfeed.org/version/1.1" and other["title"], path)
        check(other["feed_url"] == SITE + path.replace(".atom", ".feed.json"), path)
        check({item["id"] for item in other["items"]} == ids, path)
        for item in other["items"]:
            check(item["url"].startswith(SITE) and "content_html" in item, path)


def discovery():
    space = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    index = etree.fromstring(get("/sitemap.xml")[0])
    found = set()
    for place in index.findall("s:sitemap/s:loc", space):
        urls = etree.fromstring(get(place.text.removeprefix(SITE))[0]).findall("s:url/s:loc", space)
        check(0 < len(urls) <= 50_000, place.text)
        found.update(url.text for url in urls)
    check(SITE + "/papers/2501.00000" in found and SITE + "/studies" in found, len(found))
    for path in ("/opensearch.xml", "/unapi", "/papers/2501.00000/badge.svg"):
        etree.fromstring(get(path)[0])
    markdown = get("/papers/2501.00000", {"Accept": "text/markdown"})[0].decode()
    check(markdown.startswith("# An { open brace\n"), markdown[:100])


for part in (bibtex, ris, csl, atom, discovery):
    part()
print("all read")
