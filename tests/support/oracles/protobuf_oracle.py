"""Writes and reads Protobuf and JSON Schema with Google's library and with Confluent's client.

Reads from stdin a list of cases. Protobuf: {file, message, json, framed}, where `file` is a FileDescriptorProto in proto3 JSON;
JSON Schema: {schema, framed}. `framed` is the record of the gateway in hex. Writes a list: for Protobuf {schema, record,
json, decoded}: the schema as the client registers it, the record that the client writes without the frame, and the JSON of what
Google's library and the client read from the gateway's record; for JSON Schema {decoded}.
"""

import base64
import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2  # noqa: F401

POOL = descriptor_pool.Default()
PLAIN = {"use.deprecated.format": False}


def class_of(case):
    file = json_format.ParseDict(case["file"], descriptor_pb2.FileDescriptorProto())
    try:
        POOL.FindFileByName(file.name)
    except KeyError:
        POOL.Add(file)
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(case["message"]))


def text_of(message):
    return json_format.MessageToDict(message, descriptor_pool=POOL)


def protobuf(case, client, context):
    message_class = class_of(case)
    message = json_format.Parse(case["json"], message_class(), descriptor_pool=POOL)
    record = ProtobufSerializer(message_class, client, PLAIN)(message, context)
    own = bytes.fromhex(case["framed"])
    decoded = ProtobufDeserializer(message_class, PLAIN)(record[:5] + own[5:], context)
    path_size = len(record) - 5 - len(message.SerializeToString(deterministic=True))
    read = message_class()
    read.ParseFromString(own[5 + path_size :])
    descriptor = descriptor_pb2.FileDescriptorProto()
    message_class.DESCRIPTOR.file.CopyToProto(descriptor)
    return {
        "schema": base64.standard_b64encode(descriptor.SerializeToString()).decode(),
        "record": record[5:].hex(),
        "json": text_of(read),
        "decoded": text_of(decoded),
    }


def json_schema(case, client, context):
    own = bytes.fromhex(case["framed"])
    value = json.loads(own[5:])
    record = JSONSerializer(case["schema"], client)(value, context)
    return {"decoded": JSONDeserializer(case["schema"], schema_registry_client=client)(record[:5] + own[5:], context)}


def main():
    client = SchemaRegistryClient.new_client({"url": "mock://oracle"})
    answers = []
    for number, case in enumerate(json.load(sys.stdin)):
        context = SerializationContext(f"t{number}", MessageField.VALUE)
        answers.append((protobuf if "file" in case else json_schema)(case, client, context))
    json.dump(answers, sys.stdout)


main()
