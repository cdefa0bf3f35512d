"""Reads messages back with the parser of Python's standard library, and compares their heads with the RFCs.

    python read.py FOLDER SITE

Fails at the first message that is not as it has to be; prints one JSON object a message.
"""

import email
import email.policy
import json
import pathlib
import re
import sys
from html.parser import HTMLParser

folder, site = pathlib.Path(sys.argv[1]), sys.argv[2]


class Text(HTMLParser):
    """The words and links of an HTML part."""

    def __init__(self):
        super().__init__()
        self.text, self.links, self.tags = "", [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name == "href"]

    def handle_data(self, data):
        self.text += data


def check(condition, what):
    if not condition:
        sys.exit(f"{file.name}: {what}")


for file in sorted(folder.iterdir()):
    raw = file.read_bytes()
    check(re.search(rb"(?<!\r)\n|\r(?!\n)", raw) is None, "a bare CR or LF")
    check(raw.isascii(), "bytes that are not ASCII")
    lines = raw.split(b"\r\n")
    check(max(map(len, lines)) <= 998, "a line of more than 998 bytes (RFC 5322)")
    head = raw.split(b"\r\n\r\n", 1)[0]
    for line in head.split(b"\r\n"):
        # Only what has no place to fold may be longer.
        check(len(line) <= 78 or b" " not in line.strip().split(b": ", 1)[-1], f"not folded: {line}")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    check(not message.defects, f"defects {message.defects}")
    names = [name.lower() for name in message.keys()]
    for name in ("from", "to", "subject", "date", "message-id", "mime-version", "auto-submitted"):
        check(names.count(name) == 1, f"{names.count(name)} headers {name}")
    for name in message.keys():
        check(not message[name].defects, f"{name}: {message[name].defects}")
    check(re.fullmatch(r"<[0-9a-f]+\.[a-z-]+@[a-z.]+>", message["message-id"]), message["message-id"])
    check(message["date"].datetime.tzinfo is not None, "a date without a zone")
    found = {
        "to": message["to"].addresses[0].addr_spec,
        "id": str(message["message-id"]),
        "subject": str(message["subject"]),
        "from": str(message["from"]),
        "html": "",
    }
    if message.is_multipart():
        check(message.get_content_type() == "multipart/alternative", message.get_content_type())
        plain, html = message.iter_parts()
        check(plain.get_content_type() == "text/plain" and html.get_content_type() == "text/html", "parts")
        check(not plain.defects and not html.defects, "defects of parts")
        check(len(raw) < 102_000, f"{len(raw)} bytes: mail programs cut it off")
        reader = Text()
        reader.feed(html.get_content())
        text = plain.get_content()
        check("img" not in reader.tags and "script" not in reader.tags, "an image or a script")
        links = set(re.findall(r"https?://\S+", text))
        check(links == set(reader.links), f"other links as text than as HTML: {links ^ set(reader.links)}")
        check(all(link.startswith(site) for link in links if "github" not in link), f"{links}")
        check(re.fullmatch(r"<digest\.[a-z0-9.]+>", message["list-id"]), message["list-id"])
        unsubscribe = re.fullmatch(r"<(\S+)>", message["list-unsubscribe"])[1]
        check(unsubscribe.startswith((site + "/digest/unsubscribe?token=", "mailto:")), unsubscribe)
        if unsubscribe.startswith("https:"):
            check(message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click", "RFC 8058")
        else:
            check("list-unsubscribe-post" not in message, "one click over plain HTTP")
        found |= {"text": text, "html": html.get_content(), "unsubscribe": unsubscribe}
    else:
        found["text"] = message.get_content()
    print(json.dumps(found))
