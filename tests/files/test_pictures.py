"""One reader of pictures: what a viewer shows, or a refusal."""

import numpy as np
import pytest
from PIL import Image

from keras_snnkd.errors import FileFormatError
from keras_snnkd.files import pictures
from keras_snnkd.files.pictures import Resize, read_picture

STROKE = np.zeros((8, 6), "uint8")
STROKE[2:6, 3] = 255
"""Where a stroke is: 255."""


@pytest.fixture
def save(tmp_path):
    def save(picture, name="picture.png", **arguments):
        picture.save(tmp_path / name, **arguments)
        return tmp_path / name

    return save


def gray(path):
    return read_picture(path, channels=1)[..., 0]


def on_transparent(colour, mode="RGBA"):
    picture = Image.new(mode, (6, 8), (*colour, 0) if mode == "RGBA" else (colour[0], 0))
    picture.putalpha(Image.fromarray(STROKE))
    return picture


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_black_strokes_on_a_transparent_ground_are_black_on_white(save, mode):
    np.testing.assert_array_equal(gray(save(on_transparent((0, 0, 0), mode))), 255 - STROKE)


def test_half_transparent_red_is_pink(save):
    assert read_picture(save(Image.new("RGBA", (2, 2), (255, 0, 0, 128))))[0, 0].tolist() == [255, 127, 127]


def test_a_transparent_entry_of_a_palette_is_white(save):
    picture = Image.new("P", (6, 8))
    picture.putdata((STROKE // 255).ravel().tolist())
    picture.putpalette([0, 0, 0, 10, 10, 10])
    assert read_picture(save(picture)).shape == (8, 6, 1)  # all colours are grey
    np.testing.assert_array_equal(gray(save(picture, transparency=0)), np.where(STROKE, 10, 255))


def test_a_palette_of_colours_is_its_colours(save):
    picture = Image.new("P", (2, 1))
    picture.putdata([0, 1])
    picture.putpalette([200, 0, 0, 0, 0, 200])
    assert read_picture(save(picture)).tolist() == [[[200, 0, 0], [0, 0, 200]]]


def test_a_transparent_colour_of_rgb_and_of_grey_is_white(save):
    picture = Image.new("RGB", (2, 1), (10, 20, 30))
    picture.putpixel((1, 0), (0, 0, 0))
    assert read_picture(save(picture, transparency=(0, 0, 0))).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert gray(save(picture.convert("L"), "gray.png", transparency=0))[0, 1] == 255


def test_white_strokes_on_a_transparent_ground_are_refused(save):
    with pytest.raises(FileFormatError, match="is white on a transparent ground"):
        read_picture(save(on_transparent((255, 255, 255))))


def test_sixteen_bits_of_grey_are_their_upper_eight(save):
    values = np.array([[0, 257 * 100, 65535]], "uint16")
    for name in ("deep.png", "deep.tif"):
        assert gray(save(Image.fromarray(values), name)).tolist() == [[0, 100, 255]]


@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_thirty_two_bits_are_refused(save, kind):
    with pytest.raises(FileFormatError, match=r"8 bits per channel, or 16 bits of grey, got PIL mode '[IF]'.*save it with 8 bits"):
        read_picture(save(Image.fromarray(np.ones((3, 3), kind)), "deep.tif"))


@pytest.mark.parametrize(
    ("orientation", "turned"), [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)]
)
def test_a_picture_is_turned_as_its_exif_says(save, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(STROKE), "photo.png", exif=exif)
    np.testing.assert_array_equal(gray(path), turned(STROKE))


@pytest.mark.parametrize("name", ["moving.gif", "moving.png", "moving.webp", "pages.tif"])
def test_several_frames_are_refused(save, name):
    frames = [Image.new("L", (4, 4), value) for value in (0, 100, 200)]
    with pytest.raises(FileFormatError, match=rf"{name}: holds 3 frames or pages; expected one picture"):
        read_picture(save(frames[0], name, save_all=True, append_images=frames[1:]))


def test_a_still_gif_is_read(save):
    np.testing.assert_array_equal(gray(save(Image.fromarray(STROKE), "still.gif")), STROKE)


def test_a_bomb_is_refused_before_its_pixels_are_read(save, monkeypatch):
    path = save(Image.new("1", (3000, 2000)))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 5_000_000)
    with pytest.raises(FileFormatError, match="3000x2000 pixels, more than the 5,000,000 pixels that are read"):
        read_picture(path)


def test_what_pillow_takes_for_a_bomb_is_refused(save, monkeypatch):
    path = save(Image.new("1", (300, 200)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    with pytest.raises(FileFormatError, match="more than the 89,478,485 pixels"):
        read_picture(path)


def test_colours_for_print(save):
    picture = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    assert np.abs(read_picture(save(picture, "print.jpg")).astype(int) - [255, 0, 0]).max() < 12
    with pytest.raises(FileFormatError, match="CMYK with a profile"):
        read_picture(save(picture, "profile.tif", icc_profile=b"profile"))


def test_one_bit_is_black_and_white(save):
    np.testing.assert_array_equal(gray(save(Image.fromarray(STROKE).convert("1"))), STROKE)


def test_channels_are_as_wanted(save):
    path = save(Image.new("RGB", (2, 2), (255, 0, 0)))
    assert read_picture(path, channels=1).tolist() == [[[76], [76]], [[76], [76]]]
    assert read_picture(save(Image.new("L", (2, 2), 9), "l.png"), channels=3)[0, 0].tolist() == [9, 9, 9]


def test_stretched_or_in_proportion(save):
    """A black column on grey, 20 wide and 10 high, in a square of 10."""
    pixels = np.full((10, 20), 200, "uint8")
    pixels[2:8, 8:12] = 0
    path = save(Image.fromarray(pixels))
    stretched = read_picture(path, resize=Resize(10, 10))[..., 0]
    assert stretched.shape == (10, 10)
    assert stretched[5, 5] < 40
    assert stretched[2, 5] < 100
    kept = read_picture(path, resize=Resize(10, 10, keep_aspect=True))[..., 0]
    assert (kept[:2] == 200).all()
    assert (kept[-2:] == 200).all()  # filled with the colour of the border
    assert kept[5, 5] < 60
    assert kept[2, 5] > 150
    assert read_picture(path, channels=3, resize=Resize(4, 9)).shape == (9, 4, 3)
    assert read_picture(path, resize=Resize(20, 10)).shape == (10, 20, 1)


def test_sizes_as_text():
    assert Resize.of("32") == Resize(32, 32)
    assert Resize.of("48x32", True) == Resize(48, 32, True)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_what_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"broken.png: cannot be read as an image"):
        read_picture(tmp_path / "broken.png")


def test_a_picture_with_another_checksum_is_refused(save):
    path = save(Image.fromarray(STROKE))
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="cannot be read as an image"):
        read_picture(path)
