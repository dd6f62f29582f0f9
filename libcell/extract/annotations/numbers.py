"""Polygons out of JSON text, as machine code: numbers that can be read exactly, or none.

A number of at most 15 digits is an integer below 2^53 over a power of ten that is exact as well, so
that one division rounds it as it should be (Clinger, doi:10.1145/93542.93557). Longer ones, and
whatever else JSON may hold, are left to whoever decodes JSON.
"""

import numpy as np

from libcell.compiled import compiled

DIGITS = 15
CORNERS = 3
_TENS = 10.0 ** np.arange(DIGITS + 1)
_OPEN, _CLOSE, _COMMA, _DOT, _MINUS, _ZERO, _NINE, _SPACE = (ord(c) for c in "[],.-09 ")


@compiled
def polygons(
    text: np.ndarray, spans: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The polygons of n outlines, each a list of lists of numbers.

    `text` are bytes, `spans` (n,2) where in it each outline begins and its length. Returns all
    numbers; the end of each polygon among them, from 0 on; the polygons of each outline (n,2:
    first, stop); and whether an outline could be read (n,): it is a list of polygons of at least
    three points, all of x and y.
    """
    room, lists = 1, 1
    for i in range(len(spans)):
        for character in text[spans[i, 0] : spans[i, 0] + spans[i, 1]]:
            room += character == _COMMA
            lists += character == _OPEN
    values, ends = np.empty(room + len(spans)), np.zeros(lists + 1, np.int64)
    parts, good = np.zeros((len(spans), 2), np.int64), np.zeros(len(spans), np.bool_)
    count, number = 0, 0
    for i in range(len(spans)):
        begin = spans[i, 0]
        made = _outline(text[begin : begin + spans[i, 1]], values, ends, count, number)
        good[i] = made[1] > number
        if good[i]:
            parts[i] = number, made[1]
            count, number = made
    return values[:count], ends[: number + 1], parts, good


@compiled
def _outline(
    text: np.ndarray, values: np.ndarray, ends: np.ndarray, count: int, number: int
) -> tuple[int, int]:
    """Read one outline behind the `count` values and `number` polygons that are there; returns
    how many are there then, or 0 polygons if it is none."""
    if len(text) < 2 or text[0] != _OPEN or text[-1] != _CLOSE:
        return 0, 0
    place = _skip(text, 1)
    while text[place] == _OPEN:
        first = count
        while text[place] != _CLOSE:
            value, place = _number(text, _skip(text, place + 1))
            if place < 0:
                return 0, 0
            values[count] = value
            count, place = count + 1, _skip(text, place)
            if text[place] != _COMMA and text[place] != _CLOSE:
                return 0, 0
        if count - first < 2 * CORNERS or (count - first) % 2 or place == len(text) - 1:
            return 0, 0
        number += 1
        ends[number] = count
        place = _skip(text, place + 1)
        if text[place] == _COMMA:
            place = _skip(text, place + 1)
            if text[place] != _OPEN:
                return 0, 0
        elif place == len(text) - 1:
            return count, number
        else:
            return 0, 0
    return 0, 0


@compiled
def _skip(text: np.ndarray, place: int) -> int:
    """The next place without white space, at most the last of the text."""
    while place < len(text) - 1 and text[place] <= _SPACE:
        place += 1
    return min(place, len(text) - 1)


@compiled
def _number(text: np.ndarray, place: int) -> tuple[float, int]:
    """The number that begins at `place`, and where it ends; -1 if it is none, or a long one.

    The text ends in a bracket, so that no number runs over its end.
    """
    sign = 1.0
    if text[place] == _MINUS:
        sign, place = -1.0, place + 1
    begin, whole, behind = place, 0, 0
    while _ZERO <= text[place] <= _NINE:
        whole, place = whole * 10 + text[place] - _ZERO, place + 1
        if place - begin > DIGITS:
            return 0.0, -1
    digits = place - begin
    if not digits or (digits > 1 and text[begin] == _ZERO):
        return 0.0, -1
    if text[place] == _DOT:
        place += 1
        begin = place
        while _ZERO <= text[place] <= _NINE:
            whole, place = whole * 10 + text[place] - _ZERO, place + 1
            behind += 1
            if digits + behind > DIGITS:
                return 0.0, -1
        if not behind:
            return 0.0, -1
    return sign * (whole / _TENS[behind]), place
