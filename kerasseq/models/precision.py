"""A twin of a model that computes in float32."""

import keras


def as_float32(model: keras.Model) -> keras.Model:
    """The model in float32, whatever the dtype policy that it was trained under.

    Mixed policies are for training. A device has float32 operations, and a smaller file
    comes from its number format.

    Returns:
        The model itself if it computes in float32, else a twin with a copy of its
        weights, not compiled.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers if layer.weights):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        # Inputs have the name of a dtype there, and operations nothing.
        if isinstance(layer["config"].get("dtype"), dict):
            layer["config"]["dtype"] = "float32"
    twin = type(model).from_config(config)
    twin.set_weights(model.get_weights())
    return twin
