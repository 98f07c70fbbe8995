"""Writes and reads Avro with fastavro and with Confluent's client.

Reads from stdin a list of {schema, json, framed}: the schema's text, a value in Avro's JSON encoding, and the record that
the gateway makes of it, in hex. Writes a list of the frame's {magic, id} and of payloads in hex: {written, confluent} of
the value, and {read, decoded} of what the two read from the record, written again.
"""

import io
import json
import struct
import sys

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def integer_of(digits):
    """Python's JSON makes 0 of -0, which a double can hold."""
    return -0.0 if digits == "-0" else int(digits)


def tag_of(schema):
    if isinstance(schema, str):
        return schema
    name = schema.get("name")
    return schema["type"] if name is None else f"{schema['namespace']}.{name}"


def value_of(schema, data):
    """The Python value of Avro's JSON encoding. fastavro's own json_reader fails on records inside maps."""
    if isinstance(schema, list):
        if data is None:
            return None
        ((tag, inner),) = data.items()
        return value_of(next(branch for branch in schema if tag_of(branch) == tag), inner)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in ("bytes", "fixed"):
        return data.encode("latin-1")
    if kind == "array":
        return [value_of(schema["items"], item) for item in data]
    if kind == "map":
        return {key: value_of(schema["values"], item) for key, item in data.items()}
    if kind == "record":
        return {field["name"]: value_of(field["type"], data[field["name"]]) for field in schema["fields"]}
    return data


def written(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue().hex()


def answer(number, case, client):
    schema = fastavro.parse_schema(json.loads(case["schema"]))
    record = bytes.fromhex(case["framed"])
    value = value_of(json.loads(case["schema"]), json.loads(case["json"], parse_int=integer_of))
    context = SerializationContext(f"t{number}", MessageField.VALUE)
    confluent = AvroSerializer(client, case["schema"])(value, context)
    (magic, schema_id) = struct.unpack(">bI", record[:5])
    # The id in the registry of this process is another one. The client refuses records without any byte of payload.
    framed = confluent[:5] + record[5:]
    decoded = AvroDeserializer(client)(framed, context) if record[5:] else value
    return {
        "magic": magic,
        "id": schema_id,
        "written": written(schema, value),
        "read": written(schema, fastavro.schemaless_reader(io.BytesIO(record[5:]), schema)),
        "confluent": confluent[5:].hex(),
        "decoded": written(schema, decoded),
    }


def main():
    client = SchemaRegistryClient.new_client({"url": "mock://oracle"})
    cases = json.load(sys.stdin)
    json.dump([answer(number + 1, case, client) for number, case in enumerate(cases)], sys.stdout)


main()
