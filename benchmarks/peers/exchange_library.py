"""exchangelib reads everything in a calendar; a process of its own, because it keeps caches.

`python exchange_library.py URL CA_FILE EMAIL USER PASSWORD` prints the CPU seconds and the number
of items.
"""

from __future__ import annotations

import os
import sys
import time

from exchangelib import DELEGATE, NTLM, Account, Configuration, Credentials, FailFast


def main(url: str, ca_file: str, email: str, username: str, password: str) -> None:
    """List the calendar's items whole, as its documentation does."""
    os.environ["REQUESTS_CA_BUNDLE"] = ca_file
    began = time.process_time()
    config = Configuration(
        service_endpoint=url,
        credentials=Credentials(username, password),
        auth_type=NTLM,
        retry_policy=FailFast(),
    )
    account = Account(email, config=config, autodiscover=False, access_type=DELEGATE)
    count = sum(1 for item in account.calendar.all() if item.subject)
    print(time.process_time() - began, count)


if __name__ == "__main__":
    main(*sys.argv[1:6])
