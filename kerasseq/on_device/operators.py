"""The operations in a TFLite flatbuffer; it needs ai-edge-litert alone."""

from ai_edge_litert import schema_py_generated as schema


def list_operators(flatbuffer: bytes) -> list[str]:
    """Names of the operations in a flatbuffer; custom ones as `CUSTOM:name`.

    Flex operations, which need TensorFlow on the device, are among the custom ones.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    found = set()
    for code in model.operatorCodes:
        # Codes above 127 do not fit the older of the two fields.
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode
        found.add(f"CUSTOM:{custom.decode()}" if custom else names[builtin])
    return sorted(found)
