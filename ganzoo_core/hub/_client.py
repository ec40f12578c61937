"""What every conversation with the Hub shares: its address, patience, and a sentence per failure.

`huggingface_hub` reads its environment when it is imported, so it is imported when it is needed and
not before; and only its small module of constants, as long as nothing has to be asked.
"""

import errno
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ganzoo_core.errors import HubError

Result = TypeVar("Result")

TRIES = 3
LONGEST_WAIT = 60
"""Seconds; a server that asks for more is reported instead of waited for."""

# Which of them the client speaks through depends on its version.
_TRANSPORTS = ("httpx2", "httpx", "requests", "urllib3")


_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"


class UnreachableHubError(HubError):
    """The Hub, or what stands in its place, gives no answer or none that can be used now."""


def endpoint() -> str:
    """Return the Hub's address without a slash at its end: `HF_ENDPOINT` or the public Hub."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def is_offline() -> bool:
    """Return whether `HF_HUB_OFFLINE` forbids every request."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def answers(seconds: float) -> bool:
    """Return whether there is a Hub to speak to, without the patience that a download has."""
    import socket
    from urllib.parse import urlsplit

    if is_offline():
        return False
    hub = urlsplit(endpoint())
    port = hub.port or (80 if hub.scheme == "http" else 443)
    try:
        with socket.create_connection((hub.hostname or "", port), timeout=seconds):
            return True
    except OSError:
        return False


def answer_timeout() -> float:
    """Return the seconds to wait for an answer; some of the client's calls would wait for ever."""
    from huggingface_hub import constants

    return constants.HF_HUB_ETAG_TIMEOUT


def check_repository_name(repo: str) -> None:
    """Refuse what is no name `org/name` that the Hub could have.

    Raises:
        HubError: it is none.
    """
    well_formed = re.fullmatch(rf"{_NAME}/{_NAME}", repo) and len(repo) <= 96
    if not well_formed or "--" in repo or ".." in repo or repo.endswith(".git"):
        raise HubError(
            f"{repo!r} is not the name of a Hub repository; write it as org/name, with letters, "
            "digits, '-', '_' and '.' only"
        )


def patiently(action: Callable[[], Result]) -> Result:
    """Do something that asks the Hub, and do it again where the failure may pass by itself.

    The client is patient with some requests and not with others: it gives up at the first 500 in
    the middle of a download, for example. Up to three tries, with pauses of one and two seconds or
    what the server's `Retry-After` says.
    """
    for tried in range(1, TRIES):
        try:
            return action()
        except Exception as error:
            pause = _pause_after(error, tried)
            if pause is None:
                raise
            time.sleep(pause)
    return action()


@contextmanager
def explained(repo: str, goal: str) -> Iterator[None]:
    """Turn what the client raises inside into a `HubError`: one sentence that says what to do next.

    `goal` completes "cannot …", and names the file or revision where there is one. What is neither
    the network's, the Hub's nor the disk's fault passes unchanged: it is a defect.
    """
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        root = _root(error)
        found = _reason(root, repo)
        if found is None:
            raise
        kind = UnreachableHubError if _is_passing(root) else HubError
        raise kind(f"cannot {goal}: {found}") from error


def _root(error: BaseException) -> BaseException:
    """Return what a general error of the client was raised for, such as "force download failed"."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    general = isinstance(error, ValueError | RuntimeError) and not isinstance(error, HfHubHTTPError)
    if (general or isinstance(error, LocalEntryNotFoundError)) and error.__cause__ is not None:
        return _root(error.__cause__)
    return error


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error of the client or of the library below it."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_transport(error: BaseException) -> bool:
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, ConnectionError | TimeoutError):
        return not isinstance(error, OfflineModeIsEnabled)
    return type(error).__module__.partition(".")[0] in _TRANSPORTS


def _is_passing(error: BaseException) -> bool:
    """Whether a failure may be gone in a moment: no connection, a broken one, a busy server."""
    status = _status(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    # A body that ends too early is reported by the client as a plain OSError without a number.
    return _is_transport(error) or (type(error) is OSError and error.errno is None)


def _pause_after(error: Exception, tried: int) -> int | None:
    """Return the seconds to wait before another try, or None where another try is pointless."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    # This one comes after the client's own five tries.
    if isinstance(error, LocalEntryNotFoundError) or not _is_passing(_root(error)):
        return None
    wanted = _retry_after(_root(error))
    if wanted is None:
        return int(2 ** (tried - 1))
    return wanted if wanted <= LONGEST_WAIT else None


def _retry_after(error: BaseException) -> int | None:
    headers = getattr(getattr(error, "response", None), "headers", {})
    named = headers.get("Retry-After", "")
    return int(named) if named.isdigit() else None


def _reason(error: BaseException, repo: str) -> str | None:
    """Return what went wrong and what to do next, or None where the error is not of this world."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import (
        EntryNotFoundError,
        FileMetadataError,
        GatedRepoError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{endpoint()}/{repo}"
    login = "run `hf auth login` or set HF_TOKEN"
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids every request; unset it and try again"
    if isinstance(error, GatedRepoError):
        return f"{repo} is gated; accept its terms at {page}, then {login}"
    if isinstance(error, RepositoryNotFoundError):
        if get_token():
            return f"there is no {repo} that your token may read; check the name and the token"
        return f"there is no {repo}, or it is private; check the name at {page}, or {login}"
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no such revision; choose one from {page}/commits/main"
    if isinstance(error, LocalEntryNotFoundError):
        return "the Hub gives no answer; check the network and try again"
    if isinstance(error, EntryNotFoundError):
        return f"{repo} has no such file at this revision; look at {page}/tree/main"
    if isinstance(error, FileMetadataError | json.JSONDecodeError | UnicodeDecodeError):
        return f"{endpoint()} does not answer as a Hub does; check HF_ENDPOINT and your proxy"
    if _status(error) is not None:
        return _reason_of_status(error, login)
    if _is_transport(error):
        if "Timeout" in type(error).__name__:
            return f"{endpoint()} did not answer in time; check the network and try again"
        return (
            f"the connection to {endpoint()} failed ({type(error).__name__}); check the network "
            "and HF_ENDPOINT, and try again"
        )
    if isinstance(error, OSError):
        return _reason_of_disk(error)
    if type(error) is RuntimeError:  # all that the Xet transfer says of its failures
        return f"the transfer failed ({_first_line(error)}); try again, or set HF_HUB_DISABLE_XET=1"
    return None


def _reason_of_status(error: BaseException, login: str) -> str:
    status = _status(error)
    if status == 401:
        return f"the Hub does not accept your token, or wants one; {login}"
    if status == 403:
        return (
            "your token has no right to this; use one with the right (huggingface.co/settings/"
            f"tokens), then {login}"
        )
    if status == 412:
        return "somebody else has changed the repository meanwhile; look at it and try again"
    if status == 429:
        wait = _retry_after(error)
        moment = "a few minutes" if wait is None else f"{wait} seconds"
        return f"the Hub asks for fewer requests (429); try again in {moment}"
    if status is not None and status >= 500:
        return f"the Hub has a problem of its own ({status}); try again later"
    said = getattr(error, "server_message", None) or error
    return f"the Hub refuses with {status} ({_first_line(said)}); correct that and try again"


def _first_line(said: object) -> str:
    return (str(said).strip().splitlines() or ["without a reason"])[0]


def _reason_of_disk(error: OSError) -> str:
    from huggingface_hub import constants

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {constants.HF_HUB_CACHE} is full; make room or set HF_HOME elsewhere"
    if error.errno is None:
        return "the transfer ended before the whole file had come; try again"
    place = error.filename or constants.HF_HUB_CACHE
    return (
        f"{place} cannot be used ({error.strerror}); set HF_HOME (weights) and GANZOO_CACHE to "
        "folders that can be written"
    )
