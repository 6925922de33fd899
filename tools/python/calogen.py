"""Calorimeter showers into NumPy, through calogen's C interface. This file is all there is: copy it where you like.

    import calogen
    generator = calogen.Generator("tools/weights/hgcal-small.safetensors")
    showers = generator.generate([20, 50, 90], seed=1)              # [3, Z, X, Y], generator.unit
    offsets, cells, energies = generator.hits([20, 50, 90], seed=1)  # the same as hits

The shared library (`cargo build --release --manifest-path tools/capi/Cargo.toml`) is found in $CALOGEN_LIBRARY, beside this
file, in a checkout's tools/capi/target or target folder, or where the system looks. Needs Python 3.8 and NumPy.
"""

import ctypes as C
import os
import sys
from pathlib import Path

import numpy as np

__all__ = ["Device", "Error", "Generator", "version"]


class Error(RuntimeError):
    """What calogen reports; `status` is a CALOGEN_... code of calogen.h."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class _Message(C.Structure):
    _fields_ = [("status", C.c_int32), ("message", C.c_char * 508)]


_FLOATS = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_SIZE, _SEED, _TEXT, _HANDLE = C.c_size_t, C.c_uint64, C.c_char_p, C.c_void_p
_OUT, _ERROR = C.POINTER(C.c_void_p), C.POINTER(_Message)
_FUNCTIONS = {  # name: result, arguments, as in calogen.h
    "version": (_TEXT, []),
    "gpu_open": (C.c_int32, [_TEXT, _OUT, _ERROR]),
    "gpu_name": (_TEXT, [_HANDLE]),
    "gpu_limit_memory": (C.c_int32, [_HANDLE, C.c_uint64]),
    "gpu_free": (None, [_HANDLE]),
    "generator_load": (C.c_int32, [_HANDLE, _TEXT, _OUT, _ERROR]),
    "generator_load_bytes": (C.c_int32, [_HANDLE, C.c_char_p, _SIZE, _OUT, _ERROR]),
    "generator_free": (None, [_HANDLE]),
    "generator_model": (_TEXT, [_HANDLE]),
    "generator_detector": (_TEXT, [_HANDLE]),
    "generator_unit": (_TEXT, [_HANDLE]),
    "generator_hash": (_TEXT, [_HANDLE]),
    "generator_shape": (C.c_int32, [_HANDLE, C.POINTER(_SIZE)]),
    "generator_cell_size": (C.c_int32, [_HANDLE, C.POINTER(C.c_float)]),
    "generator_recorded_threshold": (C.c_float, [_HANDLE]),
    "generator_labels": (_SIZE, [_HANDLE]),
    "generator_label": (C.c_int32, [_HANDLE, _SIZE, C.POINTER(_TEXT), C.POINTER(_TEXT)] + 2 * [C.POINTER(C.c_float)]),
    "generator_draw_labels": (C.c_int32, [_HANDLE, _FLOATS, _SIZE, _SEED, _SEED, _FLOATS, _ERROR]),
    "generator_outside": (_SIZE, [_HANDLE, _FLOATS, _SIZE]),
    "generator_set_batch": (C.c_int32, [_HANDLE, _SIZE]),
    "generator_set_threshold": (C.c_int32, [_HANDLE, C.c_float]),
    "generate": (C.c_int32, [_HANDLE, _FLOATS, _SIZE, _SEED, _SEED, _FLOATS, _SIZE, _ERROR]),
    "generate_hits": (C.c_int32, [_HANDLE, _FLOATS, _SIZE, _SEED, _SEED, _OUT, _ERROR]),
    "hits_showers": (_SIZE, [_HANDLE]),
    "hits_offsets": (C.POINTER(_SIZE), [_HANDLE]),
    "hits_cells": (C.POINTER(C.c_uint32), [_HANDLE]),
    "hits_energies": (C.POINTER(C.c_float), [_HANDLE]),
    "hits_free": (None, [_HANDLE]),
}


def _load():
    name = {"win32": "calogen.dll", "darwin": "libcalogen.dylib"}.get(sys.platform, "libcalogen.so")
    here = Path(__file__).resolve().parent
    folders = [here, here.parent / "capi/target/release", here.parents[1] / "target/release"]
    places = [os.environ.get("CALOGEN_LIBRARY"), *(str(f / name) for f in folders if (f / name).exists()), name]
    path = next(p for p in places if p)
    try:
        library = C.CDLL(path)
    except OSError as e:
        raise ImportError(f"{path}: {e}; build it with cargo build --release --manifest-path tools/capi/Cargo.toml, "
                          "or set CALOGEN_LIBRARY to it") from e
    for function, (result, arguments) in _FUNCTIONS.items():
        f = getattr(library, "calogen_" + function)
        f.restype, f.argtypes = result, arguments
    return library


_lib = _load()


def _call(function, *arguments):
    message = _Message()
    if getattr(_lib, "calogen_" + function)(*arguments, C.byref(message)) != 0:
        raise Error(message.status, message.message.decode(errors="replace"))


def version():
    return _lib.calogen_version().decode()


class _Owner:
    """Frees a handle when nobody holds it any more."""

    _held, _free, _process = None, None, None

    @property
    def _handle(self):
        if self._process != os.getpid():
            raise RuntimeError("a device does not survive a fork: make it, and what computes on it, in the process that uses it")
        return self._held

    @_handle.setter
    def _handle(self, handle):
        self._held, self._process = handle, os.getpid()

    def __reduce__(self):
        raise TypeError("a device and what is on it cannot be copied or pickled: load the weights again")

    __copy__ = __reduce__

    def __deepcopy__(self, memo):
        self.__reduce__()

    def __del__(self):
        if self._held and self._process == os.getpid():
            self._free(self._held)
            self._held = None


class Device(_Owner):
    """A GPU, shared by its generators: an index of `calogen devices` or part of a name; None for the best one."""

    _free = staticmethod(_lib.calogen_gpu_free)

    def __init__(self, name=None):
        handle = C.c_void_p()
        _call("gpu_open", None if name is None else str(name).encode(), C.byref(handle))
        self._handle = handle

    @property
    def name(self):
        return _lib.calogen_gpu_name(self._handle).decode()

    def limit_memory(self, size):
        """Keeps what is held on the device below `size` bytes; 0 for no limit."""
        _lib.calogen_gpu_limit_memory(self._handle, size)


class Generator(_Owner):
    """Weights on a device: a file's path, or its bytes. One thread at a time."""

    _free = staticmethod(_lib.calogen_generator_free)

    def __init__(self, weights, device=None, batch=256, threshold=0.0):
        self.device = device or Device()
        handle = C.c_void_p()
        if isinstance(weights, (bytes, bytearray)):
            _call("generator_load_bytes", self.device._handle, bytes(weights), len(weights), C.byref(handle))
        else:
            _call("generator_load", self.device._handle, os.fsencode(weights), C.byref(handle))
        self._handle = handle
        for name in ("model", "detector", "unit", "hash"):
            setattr(self, name, getattr(_lib, "calogen_generator_" + name)(handle).decode())
        shape, size = (C.c_size_t * 3)(), (C.c_float * 2)()
        _lib.calogen_generator_shape(handle, shape)
        self.shape = tuple(shape)
        self.cell_size_mm = tuple(size) if _lib.calogen_generator_cell_size(handle, size) == 0 else None
        self.recorded_threshold = _lib.calogen_generator_recorded_threshold(handle)
        self.ranges = {}  # label: (unit, least, largest) in the training data
        for i in range(_lib.calogen_generator_labels(handle)):
            name, unit, least, largest = C.c_char_p(), C.c_char_p(), C.c_float(), C.c_float()
            _lib.calogen_generator_label(handle, i, *map(C.byref, (name, unit, least, largest)))
            self.ranges[name.value.decode()] = (unit.value.decode(), least.value, largest.value)
        if _lib.calogen_generator_set_batch(handle, batch) != 0:
            raise ValueError(f"batch {batch}: at least 1")
        if _lib.calogen_generator_set_threshold(handle, threshold) != 0:
            raise ValueError(f"threshold {threshold}: a number not below 0")

    def labels(self, energies, seed=0, first_event=0):
        """Labels [events, len(ranges)] for incident energies in GeV; the others are drawn from their training range."""
        energies = np.ascontiguousarray(np.atleast_1d(energies), np.float32)
        labels = np.empty((len(energies), len(self.ranges)), np.float32)
        _call("generator_draw_labels", self._handle, energies, len(energies), seed, first_event, labels)
        return labels

    def outside(self, labels):
        """How many values lie outside the range of the training data."""
        labels = self._rows(labels)
        return _lib.calogen_generator_outside(self._handle, labels, len(labels))

    def generate(self, labels, seed=0, first_event=0):
        """Showers [events, Z, X, Y] for labels [events, len(ranges)], or for energies in GeV."""
        labels = self._rows(labels, seed, first_event)
        showers = np.empty((len(labels), *self.shape), np.float32)
        _call("generate", self._handle, labels, len(labels), seed, first_event, showers, showers.size)
        return showers

    def hits(self, labels, seed=0, first_event=0):
        """The same showers as offsets [events + 1], cells (z * X + x) * Y + y and energies: the hits of shower i are those
        from offsets[i] to offsets[i + 1]."""
        labels = self._rows(labels, seed, first_event)
        handle = C.c_void_p()
        _call("generate_hits", self._handle, labels, len(labels), seed, first_event, C.byref(handle))
        try:
            offsets = _copy(_lib.calogen_hits_offsets(handle), len(labels) + 1, np.uintp)
            cells = _copy(_lib.calogen_hits_cells(handle), offsets[-1], np.uint32)
            return offsets, cells, _copy(_lib.calogen_hits_energies(handle), offsets[-1], np.float32)
        finally:
            _lib.calogen_hits_free(handle)

    def _rows(self, labels, seed=0, first_event=0):
        labels = np.asarray(labels, np.float32)
        if labels.ndim < 2:
            return self.labels(labels, seed, first_event)
        if labels.shape[1:] != (len(self.ranges),):
            raise ValueError(f"labels of shape {labels.shape}, expected [events, {len(self.ranges)}]: {', '.join(self.ranges)}")
        return np.ascontiguousarray(labels)


def _copy(pointer, count, dtype):
    if count == 0:
        return np.empty(0, dtype)
    return np.ctypeslib.as_array(pointer, (int(count),)).astype(dtype, copy=True)
