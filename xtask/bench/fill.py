"""Puts people, sessions and votes into a site's database, for `cargo xtask bench load`.

Votes are spread over papers by a power law, as they are on real sites, and over the last year. Prints the
secrets of sessions, one a line. The order of trending papers is left to the site, which makes it anew when
it is started with another half-life than before.
"""

import hashlib
import random
import sqlite3
import sys
import time

path, papers, people, votes, sessions = sys.argv[1], *map(int, sys.argv[2:])
rng = random.Random(1)
now = int(time.time() * 1e6)
year = 365 * 24 * 3600 * 10**6
base = sqlite3.connect(path)

known = base.execute("SELECT COUNT(*) FROM papers").fetchone()[0]
last = base.execute("SELECT MAX(revision) FROM papers").fetchone()[0]
# Where the corpus has fewer, its papers are there once more under other ids.
base.execute(
    "INSERT INTO papers (added_at, id, dated, title, authors, title_key, summary, revision) "
    "SELECT added_at, 'more-' || id, dated, title, authors, title_key, summary, ? + ROW_NUMBER() OVER (ORDER BY id) "
    "FROM papers ORDER BY id LIMIT ?",
    (last, max(0, papers - known)),
)
# Fifty papers a day are on lists.
for day in range(365):
    base.execute(
        "UPDATE papers SET listed = date('now', ?), dated = date('now', ?) WHERE rowid IN "
        "(SELECT rowid FROM papers WHERE listed IS NULL ORDER BY revision LIMIT 50)",
        (f"-{day} days",) * 2,
    )
ids = [row[0] for row in base.execute("SELECT id FROM papers ORDER BY random()")]
base.executemany(
    "INSERT INTO people (joined_at, id, email, handle, name, role) VALUES (?, ?, ?, ?, ?, 'reader')",
    ((now, n, f"p{n}@example.org", f"reader-{n}", f"Reader {n}") for n in range(1, people + 1)),
)
pairs = set()
while len(pairs) < votes:
    pairs.add((min(int(rng.paretovariate(0.5)) - 1, 10**9) % len(ids), rng.randint(1, people)))
base.executemany(
    "INSERT INTO votes (at, person, paper) VALUES (?, ?, ?)",
    sorted(((now - rng.randrange(year), person, ids[paper]) for paper, person in pairs), key=lambda v: v[2]),
)
base.execute(
    "UPDATE papers SET votes = counted.n FROM (SELECT paper, COUNT(*) AS n FROM votes GROUP BY paper) AS counted "
    "WHERE papers.id = counted.paper"
)
for person in range(1, sessions + 1):
    secret = rng.randbytes(32).hex()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    row = (now, now, now + year, person, digest)
    base.execute(
        "INSERT INTO sessions (created_at, seen_at, expires_at, person, hash, agent) VALUES (?, ?, ?, ?, ?, 'bench')", row
    )
    print(secret)
base.commit()
