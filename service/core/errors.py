"""Everything that can go wrong, as one tree. Each message says what happened, why, and what to do.

    PrecisError                     any error of the service
    ├── MalformedBody         400   the body does not decode
    ├── ConflictingReference  400   a reference names two versions of a prompt
    ├── InvalidRequest        422   the body decodes and does not fit
    │   ├── NothingToRead     422   no text, or only masked text
    │   ├── UnreadableFile    422   an encrypted or broken PDF, DOCX or HTML page
    │   ├── NeedsModel        422   what is asked for needs a language model
    │   ├── PromptWithdrawn   422   the prompt version was withdrawn, and takes no new summaries
    │   └── KeyReused         422   another request was made under the same Idempotency-Key
    ├── KeyInUse              409   a request under the same Idempotency-Key is being accepted
    ├── NotFound              404   no such thing, or not yours
    ├── Purged                410   the texts of the documents were deleted after their time
    ├── NotAcceptable         406   no representation that the caller accepts
    ├── TooLarge              413   over a size limit
    ├── UnsupportedMedia      415   a content type that is not read
    ├── EndpointError         502   the endpoint's fault, or the way to it
    │   ├── EndpointUnavailable 502   refused, unresolved, broken TLS, or 5xx until attempts were spent
    │   ├── EndpointRejected  502   it will not answer: key, model, credit, or a request it does not take
    │   ├── EndpointThrottled 502   it asks to wait for longer than a worker waits in place
    │   ├── EndpointTimeout   504   no answer within the deadline
    │   ├── MalformedCompletion 502   an answer that is none, or does not validate
    │   ├── CompletionCut     502   the answer reached its cap on tokens
    │   ├── CompletionRefused 502   the model or a filter declined
    │   ├── ContextOverflow   502   the prompt is over the context window; split again
    │   ├── ContextTruncated  502   the endpoint cut the prompt without a word
    │   ├── TooLittleSupported 502  too few points of the answers stand up to the text
    │   └── BudgetSpent       402   the request's own budget does not allow another call
    ├── Incomplete            502   parts were not read, and the request is strict
    ├── RecordingMissing      500   a replay has no recording for a request
    ├── Abandoned             500   work on it was begun again and again, and never ended
    ├── StoreUnavailable      503   the database cannot be reached or written
    │   └── StoreFull         507   its disk is full
    ├── Stopping              503   the server is told to stop, and does not wait for what is left
    ├── InternalError         500   a fault of the service itself; its cause is in the log
    ├── BadPrompt               -   a prompt file does not load; start-up stops
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


class ConflictingReference(PrecisError):
    """A reference names two versions of a prompt, such as a label and a number; only one can be meant."""

    code = "conflicting_reference"
    status = 400
    title = "The reference names two versions"


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


class PromptWithdrawn(InvalidRequest):
    """The prompt version was withdrawn: it can be read, and takes no new summaries."""

    code = "prompt_withdrawn"
    title = "The prompt version was withdrawn"


class KeyReused(InvalidRequest):
    """Another request was made under the same Idempotency-Key."""

    code = "idempotency_key_reused"
    title = "The Idempotency-Key was used for another request"


class KeyInUse(PrecisError):
    """A request under the same Idempotency-Key is being accepted at this moment."""

    code = "idempotency_key_in_use"
    status = 409
    title = "A request under this Idempotency-Key is under way"


class NotFound(PrecisError):
    """No such thing, or it belongs to somebody else."""

    code = "not_found"
    status = 404
    title = "Not found"


class Purged(PrecisError):
    """The texts of the documents were deleted after their time; the result keeps its quotes."""

    code = "documents_purged"
    status = 410
    title = "The documents were deleted after their time"


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


class EndpointError(PrecisError):
    """The endpoint's fault, or the way to it."""

    code = "endpoint_error"
    status = 502
    title = "The endpoint failed"


class EndpointUnavailable(EndpointError):
    """The endpoint cannot be reached, or fails until the attempts are spent."""

    code = "endpoint_unavailable"
    title = "The endpoint is unavailable"


class EndpointRejected(EndpointError):
    """The endpoint will not answer: key, model, credit, or a request it does not take. Asking again is no use."""

    code = "endpoint_rejected"
    title = "The endpoint rejected the request"


class EndpointThrottled(EndpointError):
    """The endpoint asks to wait for longer than a worker waits in place.

    Args:
        wait_s: how long it asks to wait.
    """

    code = "endpoint_throttled"
    title = "The endpoint asks to wait"

    def __init__(self, detail: str, *, wait_s: float) -> None:
        super().__init__(detail)
        self.wait_s = wait_s


class EndpointTimeout(EndpointError):
    """There was no answer within the deadline."""

    code = "endpoint_timeout"
    status = 504
    title = "The endpoint took too long"


class MalformedCompletion(EndpointError):
    """An answer that is none, or does not validate."""

    code = "malformed_completion"
    title = "The endpoint's answer is not usable"


class CompletionCut(EndpointError):
    """The answer reached its cap on tokens; it is never mended."""

    code = "completion_cut"
    title = "The endpoint's answer is cut"


class CompletionRefused(EndpointError):
    """The model or a filter declined; final for what was asked."""

    code = "completion_refused"
    title = "The endpoint declined to answer"


class ContextOverflow(EndpointError):
    """The prompt is over the context window.

    Args:
        window: of the model in tokens, where the endpoint says so.
    """

    code = "context_overflow"
    title = "The prompt does not fit the context window"

    def __init__(self, detail: str, *, window: int | None = None) -> None:
        super().__init__(detail)
        self.window = window


class ContextTruncated(EndpointError):
    """The endpoint read less of the prompt than was sent."""

    code = "context_truncated"
    title = "The endpoint cut the prompt"


class TooLittleSupported(EndpointError):
    """Too few points of the model's answers stand up to the text; a thin summary would pass for a whole one."""

    code = "too_little_supported"
    title = "Too little of the answers is supported by the text"


class BudgetSpent(EndpointError):
    """The request's own budget does not allow another call."""

    code = "budget_spent"
    status = 402
    title = "The budget is spent"


class Incomplete(PrecisError):
    """Parts were not read, and the request is strict."""

    code = "incomplete"
    status = 502
    title = "The summary would be incomplete"


class RecordingMissing(PrecisError):
    """A replay has no recording for a request."""

    code = "recording_missing"
    title = "There is no recording"


class StoreUnavailable(PrecisError):
    """The database cannot be reached or written."""

    code = "store_unavailable"
    status = 503
    title = "The store is unavailable"


class StoreFull(StoreUnavailable):
    """The disk of the database is full."""

    code = "store_full"
    status = 507
    title = "The store is full"


class Stopping(PrecisError):
    """The server was told to stop before it had answered in full."""

    code = "stopping"
    status = 503
    title = "The server is stopping"


class Abandoned(PrecisError):
    """Work on it never ended: the process died each time that it was begun, or no other took it up."""

    code = "abandoned"
    status = 500
    title = "The work was given up"


class InternalError(PrecisError):
    """A fault of the service itself."""

    code = "internal_error"
    status = 500
    title = "Internal error"


class BadPrompt(PrecisError):
    """A prompt file is broken, or a released one was edited; the service does not start."""

    code = "bad_prompt"
    title = "The prompts do not load"


class BadSettings(PrecisError):
    """A setting is unknown or does not fit; the service does not start."""

    code = "bad_settings"
    title = "The settings do not fit"
