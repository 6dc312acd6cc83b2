"""IMAP4rev1, client and server, without I/O (RFC 3501)."""

# ruff: isort: skip_file
# fmt: off
from .._login import Cancel, Response
from . import kinds, search
from .client import Client
from .codes import (
    AppendUid, BadCharset, Capabilities, Code, CopyUid, Data, PermanentFlags,
    ResponseCode, UidNext, UidValidity, Unseen,
)
from .commands import (
    Append, Authenticate, Capability, Create, Delete, Examine, List, Login, Logout,
    Lsub, Noop, Rename, Select, StartTls, Status, Subscribe, Unsubscribe,
)
from .envelope import Address, Envelope
from .extensions import Done, Enable, Id, Idle, Move, Namespace, Unselect
from .fetch import FetchData
from .grammar import Cursor, GrammarError, Literal, Section, Streamed
from .items import Item
from .mailboxes import (
    ListData, LsubData, NamespaceData, NamespaceEntry, Raw, StatusData,
)
from .messages import (
    Change, Check, Close, Copy, Expunge, Fetch, Search, Store,
)
from .quirks import Quirk
from .replies import (
    Challenge, Condition, Continue, Greeting, LiteralBegins, Malformed, Reply,
    TaggedReply,
)
from .responses import (
    Enabled, Exists, Expunged, FlagsData, IdData, Recent, SearchData, UnknownData,
)
from .results import Found, Selected
from .scripts import (
    Arrived, Folder, Incoming, Mark, Skipped, append, fetch_new, idle, log_in,
)
from .server import Server, Tagged
from .sets import SequenceSet, UidSet
from .state import Dialect, IMAP4REV1, Limits, State, Verdict
from .structure import BodyPart, Disposition, Multipart, walk
from .tokens import Parameter
from .updates import Updates
from .verbs import ImapCommand, Other, read_command, verbs_of
from .view import MailboxView

__all__ = [
    "IMAP4REV1", "Address", "Append", "AppendUid", "Arrived", "Authenticate",
    "BadCharset", "BodyPart", "Cancel", "Capabilities", "Capability", "Challenge",
    "Change", "Check", "Client", "Close", "Code", "Condition", "Continue", "Copy",
    "CopyUid", "Create", "Cursor", "Data", "Delete", "Dialect", "Disposition", "Done",
    "Enable", "Enabled", "Envelope", "Examine", "Exists", "Expunge", "Expunged",
    "Fetch", "FetchData", "FlagsData", "Folder", "Found", "GrammarError", "Greeting",
    "Id", "IdData", "Idle", "ImapCommand", "Incoming", "Item", "Limits", "List",
    "ListData", "Literal", "LiteralBegins", "Login", "Logout", "Lsub", "LsubData",
    "MailboxView", "Malformed", "Mark", "Move", "Multipart", "Namespace",
    "NamespaceData", "NamespaceEntry", "Noop", "Other", "Parameter", "PermanentFlags",
    "Quirk", "Raw", "Recent", "Rename", "Reply", "Response", "ResponseCode", "Search",
    "SearchData", "Section", "Select", "Selected", "SequenceSet", "Server", "Skipped",
    "StartTls", "State", "Status", "StatusData", "Store", "Streamed", "Subscribe",
    "Tagged", "TaggedReply", "UidNext", "UidSet", "UidValidity", "UnknownData",
    "Unseen", "Unselect", "Unsubscribe", "Updates", "Verdict", "append", "fetch_new",
    "idle", "kinds", "log_in", "read_command", "search", "verbs_of", "walk",
]
