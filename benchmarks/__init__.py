"""What the broker costs, beside public libraries and servers; `make bench` prints one table.

How to read it:

- *CPU-ms* and *CPU-s* are what the kernel charged to our process, system calls included. Database
  servers, stand-ins and whoever calls are not in it; what SQLite does is, since it works in ours.
- *measured* is the median of the rounds, *least* the best of them. On a machine that does other
  things the median shows them too; the best round comes nearest to what a quiet one would show.
- *ratio* is ours divided by the peer's. Requests are measured in rounds of tens of milliseconds
  that take turns (ours, the peer, ours, the peer), and the ratio is the median of the rounds'
  ratios. First syncs take turns run by run, except exchangelib's, which runs once between ours.
- `/v1/events` is asked in three ways. *For the first time*: each request has a range of its own,
  so what it lists must be counted for the number of pages. *Again*: the same request each time,
  as an application polls; the count is known until a copy changes. *Page after page*: a walk
  through all 10,000 by the links of the answers.
- Peers run as we do, under gunicorn with eight threads and our settings of it.
"""
