"""Data sets of TensorFlow Datasets: read in their order on disk, and a clear error where they are not."""

import shutil
import socket
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_snnkd.data import holds_series, load, prepared
from keras_snnkd.errors import DatasetUnavailableError, FileFormatError
from keras_snnkd.files.padding import lengths

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class FashionMnist(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Image number i is filled with i, and its label is i % 10."""

    name = "fashion_mnist"
    VERSION = tfds.core.Version("3.0.1")

    def _info(self):
        features = {"image": tfds.features.Image(shape=(28, 28, 1)), "label": tfds.features.ClassLabel(names=CLASSES)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label"))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(40), "test": self._generate_examples(10)}

    def _generate_examples(self, count):
        for number in range(count):
            yield number, {"image": np.full((28, 28, 1), number, "uint8"), "label": number % 10}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    FashionMnist(data_dir=folder).download_and_prepare(download_config=tfds.download.DownloadConfig(register_checksums=False))
    return folder


class SpeechCommands(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Sounds of up to a second; sound number i has the label i % 12."""

    name = "speech_commands"
    VERSION = tfds.core.Version("0.0.3")

    def _info(self):
        labels = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_"]
        audio = tfds.features.Audio(sample_rate=16000, dtype=np.int16)
        features = tfds.features.FeaturesDict({"audio": audio, "label": tfds.features.ClassLabel(names=labels)})
        return self.dataset_info_from_configs(features=features, supervised_keys=("audio", "label"))

    def _split_generators(self, dl_manager):
        return {part: self._generate_examples(count) for part, count in [("train", 24), ("validation", 12), ("test", 12)]}

    def _generate_examples(self, count):
        for number in range(count):
            sound = 8000 * np.sin(np.arange(8000 + 8000 * (number % 2)) * (0.05 + 0.02 * number))
            yield number, {"audio": sound.astype("int16"), "label": number % 12}


@pytest.mark.slow
def test_speech_commands_are_spectra_with_the_validation_part_that_they_bring(tmp_path):
    SpeechCommands(data_dir=tmp_path).download_and_prepare(download_config=tfds.download.DownloadConfig(register_checksums=False))
    data = load("speech_commands", data_dir=tmp_path, batch_size=8)
    assert data.image_shape == (98, 40)  # a frame of 25 ms every 10 ms of a second
    assert [len(part[1]) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [24, 12, 12]
    assert data.class_names[:2] == ("down", "go")
    assert data.notes == ("validation and test come with the data",)
    assert set(lengths(data.train_arrays[0])) == {48, 98}
    assert len(load("speech_commands", data_dir=tmp_path, limit=5).train_arrays[1]) == 5
    assert holds_series("speech_commands")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda *_, **__: pytest.fail("a download was tried"))


def test_a_prepared_set_is_read_in_its_order_on_disk_without_a_network(data_dir, no_network):
    data = load("fashion_mnist", data_dir=data_dir)
    stored = FashionMnist(data_dir=data_dir).as_dataset(split="train", shuffle_files=False)
    expected = [int(example["image"][0, 0, 0]) for example in tfds.as_numpy(stored)]
    train, validation = (part[0][:, 0, 0, 0].tolist() for part in (data.train_arrays, data.validation_arrays))
    assert train == [value for value in expected if value not in validation]
    assert sorted(train + validation) == sorted(expected)
    assert sorted(expected) == list(range(40))
    np.testing.assert_array_equal(data.train_arrays[1], data.train_arrays[0][:, 0, 0, 0] % 10)
    assert (data.name, data.image_shape, data.class_names) == ("fashion_mnist", (28, 28, 1), tuple(CLASSES))
    assert [len(part[1]) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [
        30,
        10,
        10,
    ]  # one a class to validate


def test_the_folder_may_come_from_the_environment_and_limit_reads_some(data_dir, monkeypatch, no_network):
    whole = load("fashion_mnist", data_dir=data_dir)
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    few = load("fashion_mnist", limit=20)
    seen, all_of_them = (
        {int(value) for part in (data.train_arrays, data.validation_arrays) for value in part[0][:, 0, 0, 0]} for data in (few, whole)
    )
    assert len(seen) == 20
    assert seen < all_of_them
    assert len(few.test_arrays[1]) == 10


@pytest.mark.parametrize("name", prepared.SETS)
def test_without_set_and_network_the_error_names_the_folder_and_the_ways_out(name, tmp_path, no_network):
    with pytest.raises(DatasetUnavailableError) as caught:
        load(name, data_dir=tmp_path)
    message = str(caught.value)
    for part in (name, str(tmp_path), "network is unreachable", "--data-dir", "TFDS_DATA_DIR", "--dataset digits"):
        assert part in message


def test_a_host_that_never_answers_is_given_up_after_the_probe_time(monkeypatch):
    assert prepared.PROBE_SECONDS == 3
    monkeypatch.setattr(prepared, "PROBE_SECONDS", 0.05)
    timeouts = []
    monkeypatch.setattr(prepared.urllib.request, "urlopen", lambda _, timeout: (timeouts.append(timeout), time.sleep(1)))
    answer = prepared.host_answers("http://nowhere.invalid/")
    assert (answer.reached, timeouts) == (False, [0.05])
    assert "no answer" in answer.reason


def test_a_failing_download_is_told_as_an_unavailable_data_set(tmp_path, monkeypatch):
    def fail(self):
        raise ConnectionError("connection reset\nand many lines more")

    monkeypatch.setattr(prepared, "host_answers", lambda url: prepared._Answer(True, ""))
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(DatasetUnavailableError, match=r"preparing it failed \(ConnectionError: connection reset\)"):
        load("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize(("pattern", "reason"), [("*train.tfrecord*", "truncated"), ("dataset_info.json", "Failed to load JSON")])
def test_a_damaged_prepared_set_is_refused(data_dir, tmp_path, pattern, reason):
    shutil.copytree(data_dir, tmp_path, dirs_exist_ok=True)
    (file,) = tmp_path.rglob(pattern)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(FileFormatError, match=f"fashion_mnist: its files in .* look damaged .*{reason}"):
        load("fashion_mnist", data_dir=tmp_path)
