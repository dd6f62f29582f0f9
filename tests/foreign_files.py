"""Files of microscopes' own formats, made here: no library writes LIF or ND2.

The bytes follow what the reading libraries know of the formats (liffile and nd2, both tested by
their authors on real files). CZI is written by Zeiss's own libCZI, through pylibCZIrw.
"""

import struct
from xml.sax.saxutils import quoteattr

import numpy as np

LIF_AXES = {"X": 1, "Y": 2, "Z": 3, "T": 4, "M": 10}


def write_lif(path, series):
    """`series`: name, axes such as TCZYX (S last for RGB), pixels, channel LUTs, um per pixel."""
    elements, blocks = "", b""
    for i, (name, axes, pixels, luts, um) in enumerate(series):
        elements += _lif_element(name, axes, pixels, luts, um, f"MemBlock_{i}")
        block = f"MemBlock_{i}".encode("utf-16-le")
        data = pixels.tobytes()
        blocks += struct.pack("<IIBQBI", 0x70, 14 + len(block), 0x2A, len(data), 0x2A,
                              len(block) // 2) + block + data
    xml = ('<LMSDataContainerHeader Version="2"><Element Name="p"><Data/><Children>'
           f"{elements}</Children></Element></LMSDataContainerHeader>").encode("utf-16-le")
    head = struct.pack("<IIBI", 0x70, len(xml) + 5, 0x2A, len(xml) // 2)
    path.write_bytes(head + xml + blocks)
    return path


def _lif_element(name, axes, pixels, luts, um, block):
    stride = dict(zip(axes, pixels.strides))
    step = stride.get("C") or stride.get("S") or 0
    bits = pixels.dtype.itemsize * 8
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{bits}" '
        f'NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName={quoteattr(lut)} '
        f'IsLUTInverted="0" BytesInc="{i * step}" BitInc="0"/>' for i, lut in enumerate(luts))
    dimensions = "".join(
        f'<DimensionDescription DimID="{LIF_AXES[a]}" NumberOfElements="{n}" Origin="0" '
        f'Length="{um * 1e-6 * (n - 1)}" Unit="m" BytesInc="{stride[a]}" BitInc="0"/>'
        for a, n in zip(axes, pixels.shape) if a in LIF_AXES)
    return (f"<Element Name={quoteattr(name)}><Data><Image><ImageDescription><Channels>{channels}"
            f"</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{pixels.nbytes}" MemoryBlockID="{block}"/></Element>')


MAGIC, NAME = 0x0ABECEDA, 4072  # the reader expects pixels 4096 bytes into a frame's chunk


def write_nd2(path, pixels, channels, um=None, frames=None):
    """`pixels` (T,P,Z,Y,X,C) or with samples (T,P,Z,Y,X,C,S); `frames`: how many are there."""
    loops, size = pixels.shape[:3], pixels.shape[3:]
    comp = int(np.prod(size[2:]))
    flat = pixels.reshape(-1, size[0], size[1], comp)[:frames]
    attributes = {"uiWidth": size[1], "uiHeight": size[0], "uiComp": comp,
                  "uiWidthBytes": size[1] * comp * pixels.dtype.itemsize,
                  "uiBpcInMemory": pixels.dtype.itemsize * 8,
                  "uiBpcSignificant": pixels.dtype.itemsize * 8,
                  "uiSequenceCount": len(flat), "eCompression": 2}
    planes = {f"a{i}": {"sDescription": c, "uiColor": 255, "uiCompCount": comp // len(channels)}
              for i, c in enumerate(channels)}
    picture = {"bCalibrated": um is not None, "dCalibration": um or -1.0,
               "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes}}
    chunks = [("ImageAttributesLV!", _level("SLxImageAttributes", attributes)),
              ("ImageMetadataSeqLV|0!", _level("SLxPictureMetadata", picture)),
              ("ImageMetadataLV!", _level("SLxExperiment", _loops(loops)))]
    chunks += [(f"ImageDataSeq|{i}!", struct.pack("<d", i) + one.tobytes())
               for i, one in enumerate(flat)]
    path.write_bytes(_nd2_file(chunks))
    return path


def _loops(counts):
    """Time, then position, then plane, each inside the one before; those of one are left out."""
    made = {}
    kinds = [(1, {"uiCount": counts[0], "dStart": 0.0, "dPeriod": 1.0, "dDuration": 1.0}),
             (2, {"Points": {"": [{"dPosX": float(i)} for i in range(counts[1])]}}),
             (4, {"uiCount": counts[2], "dZStep": 2.0, "dZLow": 0.0, "dZHigh": 2.0})]
    for count, (kind, pars) in reversed(list(zip(counts, kinds))):
        if count > 1:
            made = {"eType": kind, "uLoopPars": pars} | ({"ppNextLevelEx": {"": made}} if made
                                                         else {})
    return made


def _level(name, value):
    """One entry of the metadata: type, length of the name, name, value."""
    kinds = {bool: 1, int: 3, float: 6, str: 8, dict: 11}
    label = (name + "\0").encode("utf-16-le")
    head = bytes([kinds[type(value)], len(name) + 1]) + label
    if isinstance(value, dict):
        items = [_level(k, one) for k, v in value.items()
                 for one in (v if isinstance(v, list) else [v])]
        inside = b"".join(items)
        length = len(head) + 12 + len(inside)
        return head + struct.pack("<IQ", len(items), length) + inside + bytes(8 * len(items))
    if isinstance(value, str):
        return head + (value + "\0").encode("utf-16-le")
    return head + struct.pack({bool: "<B", int: "<I", float: "<d"}[type(value)], value)


def _nd2_file(chunks):
    made = _chunk("ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"), 32)
    index = b""
    for name, data in chunks:
        index += name.encode() + struct.pack("<QQ", len(made), len(data))
        made += _chunk(name, data, NAME)
    index += b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(made))
    return made + _chunk("ND2 FILEMAP SIGNATURE NAME 0001!", index, NAME)


def _chunk(name, data, length):
    return struct.pack("<IIQ", MAGIC, length, len(data)) + name.encode().ljust(length, b"\0") + data
