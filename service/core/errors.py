"""Everything that can go wrong, as one tree. Each message says what happened, why, and what to do.

    PrecisError                     any error of the service
    ├── MalformedBody         400   the body does not decode
    ├── InvalidRequest        422   the body decodes and does not fit
    │   ├── NothingToRead     422   no text, or only masked text
    │   ├── UnreadableFile    422   an encrypted or broken PDF, DOCX or HTML page
    │   └── NeedsModel        422   what is asked for needs a language model
    ├── NotFound              404   no such thing, or not yours
    ├── NotAcceptable         406   no representation that the caller accepts
    ├── TooLarge              413   over a size limit
    ├── UnsupportedMedia      415   a content type that is not read
    ├── StoreUnavailable      503   the database cannot be reached or written
    ├── InternalError         500   a fault of the service itself; its cause is in the log
    └── BadSettings             -   start-up stops

The numbers are the HTTP status under which an error reaches a caller (RFC 9110, RFC 9457). No message contains text of
a document, a prompt or a key.
"""

from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request."""

    pointer: str
    """JSON Pointer (RFC 6901) to the field, `""` for the whole body; the name of the parameter for query parameters."""
    detail: str


class PrecisError(Exception):
    """Any error of the service.

    Args:
        detail: what happened, why, and what to do.
        errors: the fields at fault, where fields are at fault.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Error"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class MalformedBody(PrecisError):
    """The body does not decode."""

    code = "malformed_body"
    status = 400
    title = "The body could not be decoded"


class InvalidRequest(PrecisError):
    """The body decodes and does not fit."""

    code = "invalid_request"
    status = 422
    title = "The request does not fit"


class NothingToRead(InvalidRequest):
    """There is no text, or only masked text."""

    code = "nothing_to_read"
    title = "There is nothing to summarise"


class UnreadableFile(InvalidRequest):
    """A file is encrypted, broken or holds no text."""

    code = "unreadable_file"
    title = "The file could not be read"


class NeedsModel(InvalidRequest):
    """What is asked for needs a language model, and none is configured."""

    code = "needs_model"
    title = "This needs a language model"


class NotFound(PrecisError):
    """No such thing, or it belongs to somebody else."""

    code = "not_found"
    status = 404
    title = "Not found"


class NotAcceptable(PrecisError):
    """No representation that the caller accepts."""

    code = "not_acceptable"
    status = 406
    title = "No such representation"


class TooLarge(PrecisError):
    """Over a size limit."""

    code = "too_large"
    status = 413
    title = "Too large"


class UnsupportedMedia(PrecisError):
    """A content type that is not read."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported content type"


class StoreUnavailable(PrecisError):
    """The database cannot be reached or written."""

    code = "store_unavailable"
    status = 503
    title = "The store is unavailable"


class InternalError(PrecisError):
    """A fault of the service itself."""

    code = "internal_error"
    status = 500
    title = "Internal error"


class BadSettings(PrecisError):
    """A setting is unknown or does not fit; the service does not start."""

    code = "bad_settings"
    title = "The settings do not fit"
