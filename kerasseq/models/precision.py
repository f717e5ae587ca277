"""The precision that models compute in, and what Keras must be set to."""

import keras


def as_float32(model: keras.Model) -> keras.Model:
    """The model in float32, whatever its dtype policy.

    Mixed policies are for training. Devices compute in float32, and the number format
    of the weights decides the size of a file.

    Returns:
        The model itself if it computes in float32, else a twin with a copy of its
        weights, not compiled.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers if layer.weights):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        # Inputs have the name of a dtype here, and operations have none.
        if isinstance(layer["config"].get("dtype"), dict):
            layer["config"]["dtype"] = "float32"
    twin = type(model).from_config(config)
    twin.set_weights(model.get_weights())
    return twin


def check_keras() -> None:
    """Check that Keras is set to what models are trained and exported with.

    Raises:
        ValueError: it has another backend than TensorFlow, or other floats.
    """
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Keras computes with {keras.config.backend()}; set the environment "
            "variable KERAS_BACKEND to tensorflow before Keras is imported"
        )
    if keras.config.floatx() != "float32":
        raise ValueError(
            f"Keras's floatx is {keras.config.floatx()}; call "
            'keras.config.set_floatx("float32"), and for faster training '
            'keras.config.set_dtype_policy("mixed_float16")'
        )
