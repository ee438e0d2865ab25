"""Registration of the classes that may appear in a saved file."""

import keras

PACKAGE = "keras_snnkd"


def public(cls: type) -> type:
    """Class decorator: lets Keras save and load the class by the name `keras_snnkd>ClassName`."""
    return keras.saving.register_keras_serializable(package=PACKAGE)(cls)
