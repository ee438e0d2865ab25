"""One reader of pictures for training and for the device: what a viewer shows is what is read, or the picture is refused."""

import dataclasses
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.errors import FileFormatError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Endings of the files that are taken for pictures."""

MOST_PIXELS = 89_478_485
"""Pixels of the largest picture that is read; a larger one could fill the memory. The limit from which on Pillow warns."""

GRAY = ("1", "L", "LA", "La")
COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")

_SIZE = re.compile(r"(\d+)(?:x(\d+))?")


@dataclasses.dataclass(frozen=True)
class Resize:
    """How pictures of other sizes become one size.

    Args:
        width: In pixels, at least 1.
        height: In pixels, at least 1.
        keep_aspect: Whether a picture keeps its proportions: it is made as large as fits, and the rest is filled with the colour of its
            border, the median of its outermost pixels. Otherwise it is stretched.

    Raises:
        ValueError: If a size is no whole number above 0.

    Example:
        >>> read_picture("cat.jpg", resize=Resize(32, 32, keep_aspect=True)).shape  # (32, 32, 3)
    """

    width: int
    height: int
    keep_aspect: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 16384:
                raise ValueError(f"resize: {name} must be a whole number from 1 to 16384, got {value!r}")

    @classmethod
    def of(cls, text: str, keep_aspect: bool = False) -> "Resize":
        """From `"32"` (a square) or `"48x32"`, width and height.

        Raises:
            ValueError: If the text is another one.
        """
        found = _SIZE.fullmatch(str(text).strip())
        if not found:
            raise ValueError(f"resize must be a size in pixels such as 32, or WIDTHxHEIGHT such as 48x32, got {text!r}")
        return cls(int(found[1]), int(found[2] or found[1]), bool(keep_aspect))

    def apply(self, picture: Any) -> Any:
        """A Pillow image of mode L or RGB in this size."""
        from PIL import Image

        size = self.width, self.height
        if picture.size == size:
            return picture
        if not self.keep_aspect:
            return picture.resize(size, Image.Resampling.BILINEAR)
        scale = min(self.width / picture.width, self.height / picture.height)
        inner = max(1, round(scale * picture.width)), max(1, round(scale * picture.height))
        place = (self.width - inner[0]) // 2, (self.height - inner[1]) // 2
        canvas = Image.new(picture.mode, size, _border_colour(picture))
        canvas.paste(picture.resize(inner, Image.Resampling.BILINEAR), place)
        return canvas


def read_picture(path: str | Path, channels: int | None = None, resize: Resize | None = None) -> np.ndarray:
    """Read a picture as a viewer shows it.

    It is turned as its EXIF orientation says; transparent pixels are laid on white; 16 bits of grey become the upper 8; palettes become
    their colours. Colour profiles are not applied.

    Args:
        path: Of a file that Pillow reads.
        channels: 1 or 3; `None` for 1 where the picture is grey, else 3.
        resize: To which size; `None` to leave it.

    Returns:
        uint8 `[H, W, channels]`.

    Raises:
        FileFormatError: If the file is missing, damaged or no picture; if Pillow is not installed; and for what no viewer shows alike:
            several frames, 32 bits a pixel, colours for print with a profile, strokes in the colour of the ground.

    Example:
        >>> read_picture("cat.png", channels=1).shape  # (28, 28, 1)
    """
    try:
        from PIL import Image
    except ImportError:
        raise FileFormatError(f"reading {path} takes Pillow: pip install pillow; .npy files are read without it") from None
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"there is no image {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures, of odd metadata; what matters is checked here
            with Image.open(path) as picture:
                _check_header(path, picture)
                picture.verify()  # compares the checksums of a PNG, which reading its pixels leaves out
            with Image.open(path) as picture:
                shown = _shown(path, picture)
    except FileFormatError:
        raise
    except Exception as error:  # Pillow's readers raise what their parts raise: SyntaxError, struct.error, zlib.error, OverflowError, ...
        if type(error).__name__ == "DecompressionBombError":
            raise _too_large(path) from error
        raise FileFormatError(f"{path}: cannot be read as an image ({error}).") from error
    if channels is not None:
        shown = shown.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(shown if resize is None else resize.apply(shown))
    return pixels.reshape(*pixels.shape[:2], -1)


def _check_header(path: Path, picture: Any) -> None:
    """Refuse what can be told before the pixels are read."""
    if picture.width * picture.height > MOST_PIXELS:
        raise _too_large(path, f"{picture.width}x{picture.height} pixels, ")
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a photo with a preview, of which viewers show the photo
        raise FileFormatError(f"{path}: holds {frames} frames or pages; expected one picture, save the one that is meant.")
    if picture.mode not in GRAY + COLOR + SIXTEEN_BITS:
        raise FileFormatError(
            f"{path}: pixels must have 8 bits per channel, or 16 bits of grey, got PIL mode {picture.mode!r}, which viewers show "
            f"differently; save it with 8 bits."
        )
    if picture.mode == "CMYK" and picture.info.get("icc_profile"):
        raise FileFormatError(f"{path}: holds colours for print (CMYK with a profile), which viewers show differently; save it as RGB.")
    inverted = getattr(picture, "tag_v2", {}).get(262) == 0
    if picture.mode in SIXTEEN_BITS and inverted:
        raise FileFormatError(f"{path}: holds 16 bits of grey with white as 0, which viewers show differently; save it with 8 bits.")


def _too_large(path: Path, found: str = "") -> FileFormatError:
    return FileFormatError(f"{path}: {found}more than the {MOST_PIXELS:,} pixels that are read; make it smaller.")


def _shown(path: Path, picture: Any) -> Any:
    """The picture in mode L or RGB."""
    from PIL import Image, ImageOps

    gray = picture.mode in GRAY + SIXTEEN_BITS
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in SIXTEEN_BITS:
        clear = picture.info.get("transparency") is not None
        values = np.asarray(picture).astype("float64")
        picture = Image.fromarray(np.rint(values / 257).astype("uint8")) if not clear else _refuse_clear(path)
    palette = picture.mode in ("P", "PA")
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = _on_white(path, picture)
    picture = picture.convert("L" if gray else "RGB")
    if palette:
        red, green, blue = np.moveaxis(np.asarray(picture), -1, 0)
        if (red == green).all() and (green == blue).all():
            return picture.getchannel(0)
    return picture


def _refuse_clear(path: Path) -> Any:
    raise FileFormatError(f"{path}: holds 16 bits of grey, of which one is transparent; save it with 8 bits.")


def _on_white(path: Path, picture: Any) -> Any:
    """A picture with transparent pixels, laid on white."""
    from PIL import Image

    rgba = picture.convert("RGBA")
    ground = [Image.new("RGBA", rgba.size, colour) for colour in ("white", "black")]
    on_white, on_black = (Image.alpha_composite(colour, rgba).convert("RGB") for colour in ground)
    ranges: list[Any] = [on_white.getextrema(), on_black.getextrema()]
    plain, seen = (all(low == high for low, high in bands) for bands in ranges)
    if plain and not seen:
        raise FileFormatError(
            f"{path}: is white on a transparent ground, and transparent pixels are laid on white, where nothing is seen; "
            f"lay it on a ground of another colour."
        )
    return on_white


def _border_colour(picture: Any) -> Any:
    """The median of the outermost pixels, by channel, as Pillow takes a colour."""
    pixels = np.asarray(picture)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    ring = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = tuple(int(value) for value in np.median(ring, axis=0))
    return colour[0] if len(colour) == 1 else colour
