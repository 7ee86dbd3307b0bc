import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, features

from dgcn.data import (
    DataError,
    mask_to_grid,
    read_image,
    read_mask,
    resize_image,
    to_tensor,
    voc_palette,
    write_mask,
)


def picture(height=5, width=7, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_grey_png(path, values, bits):
    """A grey PNG of a bit depth, made by hand: Pillow writes only some depths."""
    height, width = values.shape
    rows = b""
    for row in values:
        text = "".join(format(int(value), f"0{bits}b") for value in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_rgb_is_read_as_it_is(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read, picture())
    read[0, 0] = 0  # The array belongs to the caller.


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: a[::-1].transpose(1, 0, 2)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: a.transpose(1, 0, 2)[::-1]),
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), upright(picture()))


def test_picture_whose_exif_cannot_be_written_again_is_read(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 3, "dog"
    odd = exif.tobytes().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02")  # a width of "dog"
    assert odd != exif.tobytes()
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=odd)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture()[::-1, ::-1])


def test_grey_bilevel_and_palette_become_rgb(tmp_path):
    grey = picture()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.stack([grey] * 3, -1))

    Image.fromarray(grey > 127).save(tmp_path / "bits.png")
    bits = np.where(grey > 127, 255, 0)
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png"), np.stack([bits] * 3, -1))

    indexed = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("L")
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    indexed.save(tmp_path / "palette.png")
    expected = [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]]
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), expected)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    wide = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(read_image(tmp_path / "wide.png")[..., 1], [[0, 1, 128, 255]])


def test_float_pictures_are_refused_for_nobody_says_what_white_is(tmp_path):
    Image.fromarray(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: .*floating-point values.*8 or 16 bits"):
        read_image(tmp_path / "a.tif")


def test_transparency_is_laid_over_white(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = [255, 0, 51]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png").astype(int)
    np.testing.assert_array_equal(read[0, 0], [200, 0, 0])
    np.testing.assert_array_equal(read[0, 1], [255, 255, 255])
    np.testing.assert_allclose(read[0, 2], [244, 204, 204], atol=1)


def test_cmyk_is_read_by_its_meaning(tmp_path):
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[..., 1] = inks[..., 2] = 255  # Magenta and yellow make red.
    Image.fromarray(inks, mode="CMYK").save(tmp_path / "a.jpg", quality=100)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg").mean((0, 1)), [255, 0, 0], atol=8)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"image file not found: .*none\.jpg"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text\.jpg: cannot be read as an image"):
        read_image(tmp_path / "text.jpg")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.png: cannot be read as a mask"):
        read_mask(tmp_path / "empty.png")
    for name in ("cut.png", "cut.jpg"):
        Image.fromarray(picture(60, 60)).save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=rf"{name}: cannot be read as an image"):
            read_image(tmp_path / name)


CLAIM = """
import resource, sys
from pathlib import Path
from dgcn.data import DataError, read_image, read_mask

now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), resource.RLIM_INFINITY))
for read in (read_image, read_mask):
    try:
        read(sys.argv[1])
    except DataError as error:
        print(error)
"""


def test_parts_of_pictures_that_claim_gigabytes_are_refused(tmp_path):
    """A short PNG whose pixels are said to take 4 GiB, where there is less memory."""
    path = tmp_path / "a.png"
    Image.new("L", (6, 5)).save(path)
    whole = path.read_bytes()
    at = whole.index(b"IDAT")
    path.write_bytes(whole[: at - 4] + b"\xff\xff\xff\xff" + whole[at:])
    found = subprocess.run(
        [sys.executable, "-c", CLAIM, str(path)], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [
        f"{path}: cannot be read as an image (MemoryError)",
        f"{path}: cannot be read as a mask (MemoryError)",
    ]


@pytest.mark.skipif(not features.check("avif"), reason="Pillow cannot write AVIF")
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_files_that_take_gigabytes_to_decode_are_refused_unread(tmp_path, read, monkeypatch):
    """The limit is Pillow's, beyond which it only warns: 21 KB of PNG can be 177 million pixels."""
    Image.new("L", (13_300, 13_300)).save(tmp_path / "a.png")
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(DataError, match=r"a\.png: .*\(13300 x 13300 pixels, more than 89478485"),
    ):
        read(tmp_path / "a.png")
    Image.new("L", (6, 5)).save(tmp_path / "b.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    assert read(tmp_path / "b.png").shape[:2] == (5, 6)


def test_damaged_avif_is_named(tmp_path):
    Image.fromarray(picture(60, 60)).save(tmp_path / "a.avif")
    whole = (tmp_path / "a.avif").read_bytes()
    (tmp_path / "a.avif").write_bytes(whole.replace(b"av01", b"av77"))
    with pytest.raises(DataError, match=r"a\.avif: cannot be read as an image"):
        read_image(tmp_path / "a.avif")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_masks_keep_their_numbers_at_every_depth(tmp_path, bits):
    top = min(2**bits, 256)
    values = np.random.default_rng(bits).integers(0, top, (9, 11))
    write_grey_png(tmp_path / "m.png", values, bits)
    mask = read_mask(tmp_path / "m.png")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indexed_masks_keep_their_numbers_whatever_the_palette(tmp_path, bits):
    values = np.random.default_rng(bits).integers(0, 2**bits, (6, 5), dtype=np.uint8)
    indexed = Image.fromarray(values).convert("L")
    indexed.putpalette(np.random.default_rng(1).integers(0, 256, 768, dtype=np.uint8).tobytes())
    indexed.save(tmp_path / "m.png", bits=bits, transparency=0)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), values)


def test_masks_that_are_pictures_are_refused(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "rgb.png")
    with pytest.raises(DataError, match=r"rgb\.png: .*class ids, this one holds RGB colours"):
        read_mask(tmp_path / "rgb.png")
    Image.fromarray(picture()[..., 0]).save(tmp_path / "lossy.jpg")
    with pytest.raises(DataError, match=r"lossy\.jpg: a mask must be a PNG file, this is JPEG"):
        read_mask(tmp_path / "lossy.jpg")
    Image.fromarray(np.array([[3, 300]], np.uint16)).save(tmp_path / "wide.png")
    with pytest.raises(DataError, match=r"wide\.png: .*found 300"):
        read_mask(tmp_path / "wide.png")


def test_written_mask_is_read_back_and_carries_voc_colours(tmp_path):
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "m.png", mask)
    write_mask(tmp_path / "m.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)
    assert [path.name for path in tmp_path.iterdir()] == ["m.png"]
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P"
        colours = np.asarray(image.convert("RGB")).reshape(256, 3)
    # The published colours of aeroplane, bird, person, tvmonitor and void.
    published = {1: (128, 0, 0), 3: (128, 128, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    published[255] = (224, 224, 192)
    for label, colour in published.items():
        assert tuple(colours[label]) == colour
    assert len({tuple(colour) for colour in voc_palette()}) == 256


def test_write_mask_refuses_what_it_cannot_store(tmp_path):
    with pytest.raises(TypeError, match="mask must be a uint8 array, got int64"):
        write_mask(tmp_path / "m.png", np.zeros((2, 2), np.int64))
    with pytest.raises(ValueError, match=r"mask must have shape \(H, W\)"):
        write_mask(tmp_path / "m.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"path must end in \.png, got 'm\.jpg'"):
        write_mask(tmp_path / "m.jpg", np.zeros((2, 2), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (50, 20)])
def test_network_input_is_the_warped_picture_standardised(shape):
    image = picture(*shape)
    size = 16
    tensor = to_tensor(image, size)
    assert tensor.shape == (3, size, size)
    assert tensor.dtype == torch.float32
    warped = resize_image(image, size)
    for channel, (mean, std) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (warped[..., channel] / 255 - mean) / std
        np.testing.assert_allclose(tensor[channel].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_enlarging_is_bilinear():
    ramp = np.zeros((1, 2, 3), np.uint8)
    ramp[0, 1] = 200
    # Pixel centres: the new ones lie at -1/4, 1/4, 3/4, 5/4 of the old grid.
    np.testing.assert_array_equal(resize_image(ramp, 4)[0, :, 0], [0, 50, 150, 200])


def test_resize_names_a_bad_argument():
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        resize_image(picture(), 0)
    with pytest.raises(ValueError, match=r"image must have shape \(H, W, 3\).*got \(5, 7\)"):
        resize_image(picture()[..., 0], 8)
    with pytest.raises(TypeError, match="image must be a uint8 array, got float64"):
        to_tensor(picture() / 255, 8)


def test_grid_of_321_lies_on_every_eighth_pixel():
    mask = np.random.default_rng(0).integers(0, 21, (321, 321), dtype=np.uint8)
    np.testing.assert_array_equal(mask_to_grid(mask, 41, 41), mask[::8, ::8])


@pytest.mark.parametrize(
    ("shape", "grid"), [((213, 320), (41, 41)), ((3, 5), (9, 2)), ((1, 4), (2, 3))]
)
def test_grid_takes_the_nearest_pixel(shape, grid):
    mask = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    sampled = mask_to_grid(mask, *grid)
    for i in range(grid[0]):
        for j in range(grid[1]):
            row = int(i * (shape[0] - 1) / (grid[0] - 1) + 0.5)
            column = int(j * (shape[1] - 1) / (grid[1] - 1) + 0.5)
            assert sampled[i, j] == mask[row, column]


def test_grid_of_one_cell_and_bad_grids():
    mask = np.array([[4, 5], [6, 7]], np.uint8)
    assert mask_to_grid(mask, 1, 1).tolist() == [[4]]
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        mask_to_grid(mask, 1, 0)
    with pytest.raises(TypeError, match="mask must be a uint8 array, got int64"):
        mask_to_grid(mask.astype(np.int64), 1, 1)


def write_wide_png(path, values):
    """A PNG of 16 bits a channel, made by hand: Pillow writes grey ones alone."""
    height, width, channels = values.shape

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


WRITERS = {
    "png": write_wide_png,
    "tif": lambda path, values: tifffile.imwrite(
        path, values[..., 0] if values.shape[2] == 1 else values, **_kind(values)
    ),
    "big-endian tif": lambda path, values: tifffile.imwrite(
        path, values[..., 0] if values.shape[2] == 1 else values, byteorder=">", **_kind(values)
    ),
    "deflated tif": lambda path, values: tifffile.imwrite(
        path,
        values[..., 0] if values.shape[2] == 1 else values,
        compression="deflate",
        predictor=True,
        **_kind(values),
    ),
}


def _kind(values):
    return {"photometric": "minisblack" if values.shape[2] == 1 else "rgb"}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_wide_channels_are_scaled_by_the_bits_they_use(tmp_path, writer, channels, bits):
    values = np.random.default_rng(bits).integers(0, 2**bits, (5, 7, channels), dtype=np.uint16)
    values[2, 3] = 2**bits - 1
    path = tmp_path / f"a.{writer[-3:]}"
    WRITERS[writer](path, values)
    expected = np.floor(values * (255 / (2**bits - 1)) + 0.5)
    np.testing.assert_array_equal(read_image(path), np.broadcast_to(expected, (5, 7, 3)))


@pytest.mark.parametrize("channels", [2, 4])
def test_wide_transparency_is_laid_over_white(tmp_path, channels):
    values = np.full((1, 3, channels), 4095, np.uint16)
    values[..., :-1] = 1000
    values[0, 1, -1] = 0
    write_wide_png(tmp_path / "a.png", values)
    read = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read[0, 0], [249] * 3)  # 1000 of 1023
    np.testing.assert_array_equal(read[0, 1], [255] * 3)


def test_wide_picture_is_turned_upright(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (5, 7, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extratags=[(274, 3, 1, 6)])
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="rgb")
    plain = read_image(tmp_path / "b.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), plain[::-1].transpose(1, 0, 2))


def test_empty_range_and_values_beyond_it(tmp_path):
    Image.fromarray(np.zeros((2, 3), np.uint16)).save(tmp_path / "black.png")
    assert read_image(tmp_path / "black.png").max() == 0
    for value, message in (
        (70000, "values up to 70000: save"),
        (-5, "negative values, down to -5"),
    ):
        Image.fromarray(np.array([[value, 1]], np.int32)).save(tmp_path / "a.tif")
        with pytest.raises(DataError, match=rf"a\.tif: cannot be read .*{message}"):
            read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5, 7, 2), {"photometric": "minisblack", "planarconfig": "contig"}, "it has 2 channels"),
        ((5, 7, 5), {"photometric": "minisblack", "planarconfig": "contig"}, "it has 5 channels"),
        ((5, 7, 5), {"photometric": "rgb"}, "it has 5 channels: save three of them as RGB"),
        ((4, 5, 7), {"photometric": "minisblack"}, "it has 4 pages: save each that is meant"),
        ((3, 5, 7), {"photometric": "rgb", "planarconfig": "separate"}, "in separate planes"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_odd_tiffs_are_refused_by_name(tmp_path, shape, options, message, dtype):
    values = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    if "planes" in message and dtype == np.uint8:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), values.transpose(1, 2, 0))
        return
    with pytest.raises(DataError, match=rf"a\.tif: cannot be read as an image \(.*{message}"):
        read_image(tmp_path / "a.tif")


def test_smaller_versions_of_a_page_are_no_pages(tmp_path):
    values = picture(16, 12)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(values, photometric="rgb")
        file.write(values[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), values)
