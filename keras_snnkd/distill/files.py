from keras_snnkd.files import *  # noqa
from keras_snnkd.files import read_json, sha256, staged, write_json  # noqa
import contextlib


@contextlib.contextmanager
def whole_file(p):
    with staged(p) as (f,):
        yield f
