"""Puts confirmed subscriptions into a site's database, and papers on the lists of the last days.

    python3 subscribe.py DATABASE NUMBER SECONDS

The subscriptions of reader0@example.org, reader1@example.org and so on are due in so many seconds. What the
site itself takes hours of schedule for is thereby there at once; all else goes its usual way.
"""

import datetime
import random
import sqlite3
import sys
import time

path, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
rng = random.Random(1)
base = sqlite3.connect(path, timeout=60)
now = time.time()
today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
papers = [row[0] for row in base.execute("SELECT id FROM papers ORDER BY id LIMIT 40")]
for place, paper in enumerate(papers):
    day = (today - datetime.timedelta(days=place % 3)).date().isoformat()
    base.execute("UPDATE papers SET listed = ?, dated = ? WHERE id = ?", (day, day, paper))
due = int((now + seconds) * 1e6)
rows = []
for reader in range(number):
    most = rng.choice([5, 12, 12, 12, 20])
    row = (1, 1, 1, due, today.hour, 0, most, 0, rng.getrandbits(53), "every-day", "UTC")
    rows.append((*row, f"reader{reader}@example.org", ""))
base.executemany(
    "INSERT INTO subscriptions (created_at, asked_at, confirmed_at, next_at, hour, min_votes, most,"
    " send_empty, id, frequency, zone, email, query) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    rows,
)
base.commit()
