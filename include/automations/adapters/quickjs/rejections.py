"""Tracks promises that a script has rejected without a handler.

The engine tells of them by a hook that its Python binding does not pass on: so the hook is set by
the engine's own interface in C.
"""

from __future__ import annotations

import ctypes
from typing import Any

import _quickjs

# Where the binding's object keeps its JSContext: behind Python's head and its JSRuntime.
_CONTEXT_AT = object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)
_CONFIGURABLE_WRITABLE = 3


class _Value(ctypes.Structure):
    """A JSValue as the engine passes it on machines of 64 bits."""

    _fields_ = (("payload", ctypes.c_void_p), ("tag", ctypes.c_int64))


_Tracker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, _Value, _Value, ctypes.c_bool, ctypes.c_void_p)


class Rejections:
    """Those of a context; to be made while memory may still be made executable, for the hook."""

    def __init__(self) -> None:
        self._engine = ctypes.PyDLL(_quickjs.__file__)
        self._context = ctypes.c_void_p()
        self._engine.JS_GetRuntime.restype = ctypes.c_void_p
        for name in ("JS_DupValue", "JS_GetGlobalObject"):
            getattr(self._engine, name).restype = _Value
        self._reasons: dict[int, _Value] = {}
        # Kept here, since the engine does not.
        self._hook = _Tracker(self._note)

    def watch(self, context: Any) -> None:
        """Note what is rejected in a context, from now on."""
        self._context = ctypes.c_void_p.from_address(id(context) + _CONTEXT_AT)
        runtime = ctypes.c_void_p(self._engine.JS_GetRuntime(self._context))
        self._engine.JS_SetHostPromiseRejectionTracker(runtime, self._hook, None)

    def has_unhandled(self) -> bool:
        """Whether there are any that nobody has handled."""
        return bool(self._reasons)

    def tell(self, name: str) -> None:
        """Give the first one's reason to the script's global object, under a name."""
        reason = next(iter(self._reasons.values()))
        self._engine.JS_DefinePropertyValueStr(
            self._context,
            self._engine.JS_GetGlobalObject(self._context),
            name.encode(),
            reason,
            ctypes.c_int(_CONFIGURABLE_WRITABLE),
        )

    def _note(
        self, context: int, promise: _Value, reason: _Value, is_handled: bool, opaque: int
    ) -> None:
        if is_handled:
            self._reasons.pop(promise.payload, None)
            return
        # Both are kept: another promise at the place of one that is gone would be taken for it.
        self._engine.JS_DupValue(self._context, promise)
        self._reasons[promise.payload] = self._engine.JS_DupValue(self._context, reason)
