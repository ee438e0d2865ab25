"""Data sets in folders of images: layouts, the order of samples, and what is refused."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_snnkd.data import folder, load
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.pictures import Resize


def save(path, value, size=(6, 4), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def test_every_fifth_image_of_a_class_is_test(tmp_path):
    for place in range(10):
        save(tmp_path / "cat" / f"{place}.png", place)
    for place in range(5):
        save(tmp_path / "dog" / f"{place}.PNG", 100 + place)
    (tmp_path / "cat" / "notes.txt").write_text("passed over")
    (tmp_path / ".cache").mkdir()
    data = load(tmp_path)
    assert (data.image_shape, data.class_names) == ((4, 6, 1), ("cat", "dog"))
    assert sorted(data.test_arrays[0][:, 0, 0, 0]) == [4, 9, 104]
    trained = np.concatenate([data.train_arrays[0], data.validation_arrays[0]])[:, 0, 0, 0]
    assert sorted(trained) == [0, 1, 2, 3, 5, 6, 7, 8, 100, 101, 102, 103]
    for images, labels in (data.train_arrays, data.validation_arrays, data.test_arrays):
        np.testing.assert_array_equal(labels, images[:, 0, 0, 0] >= 100)


def test_classes_are_spread_evenly_so_that_validation_holds_each(tmp_path):
    for place in range(50):
        save(tmp_path / "train" / "cat" / f"{place:02}.png", place)
        save(tmp_path / "train" / "dog" / f"{place:02}.png", 100 + place)
    save(tmp_path / "test" / "dog" / "only.png", 200)
    data = load(tmp_path)
    assert sorted(data.validation_arrays[0][:, 0, 0, 0]) == [5, 15, 25, 35, 45, 105, 115, 125, 135, 145]
    assert data.test_arrays[1].tolist() == [1]
    assert set(load(tmp_path, limit=4).train_arrays[1]) == {0, 1}


def test_one_image_in_colour_makes_all_of_them_three_channels(tmp_path):
    for place in range(5):
        save(tmp_path / "gray" / f"{place}.png", 7)
        save(tmp_path / "red" / f"{place}.png", (255, 0, 0, 255), mode="RGBA")
    data = load(tmp_path)
    assert data.image_shape == (4, 6, 3)
    for image, label in zip(*data.train_arrays, strict=True):
        assert image[0, 0].tolist() == ([255, 0, 0] if label else [7, 7, 7])


def test_images_of_two_sizes_are_refused_by_name(tmp_path):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "b.jpg", 1, size=(8, 9))
    with pytest.raises(FileFormatError, match=r"b.jpg: is 8x9 pixels, but .*a.png is 6x4; all images must have one size"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_an_unreadable_image_is_named(tmp_path, content):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "b.png", 1)
    (tmp_path / "dog" / "broken.png").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"broken.png: cannot be read as an image"):
        load(tmp_path)


def test_a_truncated_image_is_named(tmp_path):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "b.png", 1, size=(64, 64))
    path = tmp_path / "dog" / "b.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileFormatError, match=r"b.png: cannot be read as an image"):
        load(tmp_path)


def test_pictures_of_two_sizes_are_brought_to_one(tmp_path):
    for place in range(5):
        save(tmp_path / "cat" / f"{place}.png", place)
        save(tmp_path / "dog" / f"{place}.jpg", 100, size=(8, 9))
    data = load(tmp_path, resize="5x7")
    assert data.image_shape == (7, 5, 1)
    assert data.resize == Resize(5, 7)
    assert load(tmp_path, resize=6, keep_aspect=True).resize == Resize(6, 6, True)


def test_a_folder_to_choose_by_is_used(tmp_path):
    for part, count in (("train", 20), ("val", 3), ("test", 2)):
        for place in range(count):
            save(tmp_path / part / "cat" / f"{place}.png", place)
            save(tmp_path / part / "dog" / f"{place}.png", 100 + place)
    (tmp_path / "drafts").mkdir()
    (tmp_path / "train" / "cat" / "notes.txt").write_text("")
    data = load(tmp_path)
    assert [len(part[1]) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [40, 6, 4]
    assert data.notes == ("validation comes with the files", "passed over: 1 .txt, 1 folder drafts/ beside train/")


def test_small_classes_are_in_all_parts(tmp_path):
    for label in range(20):
        for place in range(4 + label % 3):
            save(tmp_path / f"class{label:02}" / f"{place}.png", 10 * label)
    data = load(tmp_path)
    for _, labels in (data.train_arrays, data.validation_arrays, data.test_arrays):
        assert sorted(set(labels)) == list(range(20))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no class folders in it; expected train/<class>"),
        (["loose.png"], "no class folders in it"),
        (["cat/notes.txt", "dog/b.png"], r"cat: no images in it"),
        (["cat/a.png", "cat/b.png"], r"holds one class only \(cat\)"),
        (["train/cat/a.png", "train/dog/b.png"], r"has train/ and no test/; add test/<class>/, or put the class folders into"),
        (["train/cat/a.png", "train/dog/b.png", "test/cow/c.png"], r"class 'cow' is in test/ but not in train/, which has cat, dog"),
        (["cat/a.png", "dog/b.png"], "got 2 training and 0 test images"),
    ],
)
def test_a_folder_without_a_usable_data_set_is_refused(tmp_path, files, message):
    for file in files:
        save(tmp_path / file, 1) if file.endswith("png") else (tmp_path / file).parent.mkdir()
    with pytest.raises(FileFormatError, match=message):
        load(tmp_path)


def two_classes(folder):
    for place in range(5):
        save(folder / "cat" / f"{place}.png", place)
        save(folder / "dog" / f"{place}.png", 100 + place)


@pytest.mark.parametrize("place", ["cow", "cat/9.png"], ids=["class", "picture"])
def test_a_link_to_nothing_is_no_missing_class_or_picture(tmp_path, place):
    two_classes(tmp_path)
    (tmp_path / place).symlink_to("elsewhere")
    with pytest.raises(FileFormatError, match=rf"{place}: is a link to elsewhere, which is not there"):
        load(tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines", b"\x1b[31mred"], ids=["latin", "new line", "escape"])
def test_names_that_no_page_can_show_are_told(tmp_path, name):
    two_classes(tmp_path)
    (tmp_path / "dog").rename(tmp_path / os.fsdecode(name))
    with pytest.raises(FileFormatError, match="holds letters that no page or terminal can show; rename it") as error:
        load(tmp_path)
    assert str(error.value).isprintable()


def test_links_and_what_computers_leave_in_folders(tmp_path):
    two_classes(tmp_path / ".there")
    two_classes(tmp_path)
    (tmp_path / "cow").symlink_to(tmp_path / ".there" / "cat")
    (tmp_path / "__MACOSX").mkdir()
    for name in (".DS_Store", "cat/.DS_Store", "cat/._0.png", "Thumbs.db", "cat/Thumbs.db"):
        (tmp_path / name).write_bytes(b"\0")
    (tmp_path / "cat" / ".ipynb_checkpoints").mkdir()
    assert load(tmp_path).class_names == ("cat", "cow", "dog")


def test_pictures_that_are_in_no_class_are_said(tmp_path):
    two_classes(tmp_path)
    save(tmp_path / "stray.png", 3)
    assert "passed over: 1 pictures beside the class folders, such as stray.png" in load(tmp_path).notes


def test_pictures_without_folders_are_told_what_to_do(tmp_path):
    save(tmp_path / "flat" / "cat_1.png", 3)
    with pytest.raises(FileFormatError, match="1 pictures and no class folders in it; put those of each class into a folder"):
        load(tmp_path / "flat")


def test_more_pictures_than_there_is_memory_for_are_told_before_they_are_read(tmp_path, monkeypatch):
    two_classes(tmp_path)
    monkeypatch.setattr(folder, "physical_memory", lambda: 2 * 10 * 24 - 1)
    with pytest.raises(FileFormatError, match=r"10 pictures of 6x4 pixels take .* of memory, and this machine has .*--resize 224"):
        load(tmp_path)
    assert load(tmp_path, resize=2).image_shape == (2, 2, 1)
