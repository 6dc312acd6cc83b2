"""Dates and times, to and from bytes (RFC 3501 9, date and date-time)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

#: ``17-Jul-1996 02:44:25 -0700``
DATE_TIME: Final = (
    rb"([ 0-9][0-9])(-[A-Za-z]{3}-[0-9]{4}) "
    rb"((?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}) ([+-][0-9]{2}[0-5][0-9])"
)
#: ``1-Feb-1994``
DATE: Final = rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})"

_date_time = re.compile(DATE_TIME)
_date = re.compile(DATE)

_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_MONTH = {name.lower().encode(): i for i, name in enumerate(_MONTHS, 1)}


def _month(name: bytes) -> int:
    month = _MONTH.get(name.lower())
    if month is None:
        raise ValueError("no such month")
    return month


@lru_cache(maxsize=512)
def _begin(month: bytes) -> bytes:
    """``-Jul-1996`` as ISO 8601 has it, ``1996-07-``."""
    return b"%b-%02d-" % (month[5:], _month(month[1:4]))


def read_date_time(text: bytes) -> datetime:
    """Of a date-time, quotes left out; raises ValueError."""
    found = _date_time.fullmatch(text)
    if not found:
        raise ValueError("a date and time is expected")
    day, month, time, zone = found.groups()
    iso = b"%b%bT%b%b" % (_begin(month), day.replace(b" ", b"0"), time, zone)
    return datetime.fromisoformat(iso.decode("ascii"))


def write_date_time(moment: datetime) -> bytes:
    """The same back; of moments that ``check_date_time`` lets pass."""
    month = _MONTHS[moment.month - 1]
    offset = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}{abs(offset) % 60:02}"
    day = f"{moment.day:2}-{month}-{moment.year:04}"
    return f"{day} {moment:%H:%M:%S} {zone}".encode("ascii")


def check_date_time(moment: datetime) -> datetime:
    """*moment* in whole seconds; ValueError without a zone of whole minutes."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a date and time needs a time zone")
    if offset % timedelta(minutes=1):
        raise ValueError("the offset of a time zone is in whole minutes")
    return moment.replace(microsecond=0)


def date_of(day: bytes, month: bytes, year: bytes) -> date:
    return date(int(year), _month(month), int(day))


def read_date(text: bytes) -> date:
    """Of a date of SEARCH, quotes left out; raises ValueError."""
    found = _date.fullmatch(text)
    if not found:
        raise ValueError("a date is expected")
    return date_of(*found.groups())


def write_date(day: date) -> bytes:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04}".encode("ascii")
