"""Which inputs made on purpose each reader is given, before the random ones."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .recipes import chunks, paths, pickles, pictures, texts


@dataclass(frozen=True)
class Recipe:
    """What is done to a seed (the door's first, or the one that is named)."""

    make: Callable[[Path], None]
    seed: str = ""


def _all(*makes: Callable[[Path], None], seed: str = "") -> tuple[Recipe, ...]:
    return tuple(Recipe(m, seed) for m in makes)


_JSON = (texts.json_deep, texts.json_of_a_long_number, texts.json_of_another_encoding)
_BOMBS = (
    chunks.chunk_zstd_bomb,
    chunks.chunk_gzip_bomb,
    chunks.frame_zstd_bomb,
    chunks.absurd_shape,
    chunks.absurd_frames,
    chunks.absurd_chunks,
)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "tiff": _all(
        pictures.tiff_that_claims,
        pictures.tiff_that_claims_less,
        pictures.tiff_unpacked_that_claims,
        pictures.bomb_tiff,
        pictures.tiff_of_a_loop,
    ),
    "picture": _all(
        pictures.bomb_png,
        pictures.png_that_claims,
        pictures.png_that_claims_colours,
        pictures.png_of_long_text,
    )
    + _all(pictures.jpeg_that_claims, seed="picture_jpeg")
    + _all(pictures.bmp_that_claims, seed="picture_bmp"),
    "image-store": _all(
        *_BOMBS, paths.groups_lead_out, paths.wells_lead_out, paths.levels_lead_out, *_JSON
    )
    + _all(
        pickles.pickle_in_old_zarr,
        pickles.pickle_as_old_compressor,
        chunks.chunk_zlib_bomb_old,
        chunks.chunk_zstd_bomb_old,
        chunks.absurd_shape,
        chunks.absurd_chunks,
        *_JSON,
        seed="image_old",
    ),
    "image-zip": _all(paths.zip_members_lead_out, chunks.zip_bomb),
    "labels": _all(
        paths.groups_lead_out, paths.compartments_lead_out, paths.levels_lead_out, *_BOMBS, *_JSON
    ),
    "crops": _all(*_BOMBS, *_JSON)
    + _all(paths.zip_members_lead_out, chunks.zip_bomb, seed="crop_zip"),
    "table": _all(pickles.pickle_as_arrow_type) + _all(texts.csv_wide, seed="features_csv"),
    "stream": _all(pickles.pickle_as_arrow_type, paths.line_without_end),
    "records": _all(
        paths.record_leads_out,
        paths.record_of_another_place,
        paths.group_that_is_no_text,
        paths.line_without_end,
    ),
    "layout": _all(chunks.zip_bomb, paths.zip_members_lead_out, seed="layout_grid"),
    "settings": _all(texts.toml_deep, texts.toml_of_another_encoding),
    "coco": _all(paths.names_lead_out, paths.name_leads_to_a_picture_outside, *_JSON),
    "rois": _all(paths.zip_members_lead_out, chunks.zip_bomb),
    "classes": _all(paths.index_leads_out),
    "geff": _all(paths.compartment_in_names, *_JSON)
    + _all(
        pickles.pickle_in_old_zarr,
        pickles.pickle_as_old_compressor,
        chunks.chunk_zlib_bomb_old,
        chunks.chunk_zstd_bomb_old,
        chunks.absurd_frames,
        seed="geff_theirs",
    ),
    "tracks": _all(*_JSON),
    "trackmate": _all(texts.xml_that_unfolds, texts.xml_of_a_file, texts.xml_deep),
    "model": _all(
        pickles.pickle_in_model_folder,
        texts.safetensors_that_claims,
        texts.safetensors_of_absurd_shape,
        texts.safetensors_deep,
        texts.network_of_absurd_size,
        *_JSON,
    ),
    "forest": _all(
        pickles.pickle_in_model_folder,
        texts.safetensors_that_claims,
        texts.safetensors_of_absurd_shape,
    )
    + _all(pickles.pickle_in_model_folder, seed="model_boosting"),
    "segmenter": _all(
        pickles.pickle_in_model_folder,
        texts.safetensors_that_claims,
        texts.network_of_absurd_size,
        *_JSON,
    ),
    "checkpoint": _all(
        pickles.pickle_bare,
        pickles.pickle_of_torch,
        pickles.pickle_of_torch_old,
        pickles.pickle_of_joblib,
        pickles.pickle_of_numpy,
    )
    + _all(
        texts.safetensors_that_claims,
        texts.safetensors_of_absurd_shape,
        texts.safetensors_deep,
        seed="safetensors",
    ),
    "stardist": _all(texts.config_of_absurd_size, texts.config_of_a_grid_that_never_ends, *_JSON)
    + _all(chunks.zip_bomb, paths.zip_members_lead_out, seed="stardist_zip"),
    "trackastra": _all(pickles.yaml_of_objects, pickles.yaml_that_unfolds),
    "validator": _all(*_JSON),
}
