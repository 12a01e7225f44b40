"""The configuration's JSON Schema agrees with the table of documents that the loader is tested by.

An editor shows what the schema says and the daemon does what the loader says. Both are tried with
the same table (Fixtures/documents.json), so neither can drift from the other unnoticed:

good      the schema accepts it, the loader reads it
bad       the schema refuses it, and at one place only: the table's JSON Pointer
semantic  the schema cannot see what is wrong with it, the loader must

A bad name (of a credential, provider, variable, header or kept value) counts as an unknown key:
its pointer is the object's.

Needs python3-jsonschema.
"""

import json
import unittest

import jsonschema

from evertest.basics import ROOT
from evertest.suite import Suite

SUITE = Suite(minutes=0.5)

CONFIG = ROOT / "config"
PROFILES = ROOT / "Sources" / "TokenProviders" / "Profiles"
SHIPPED = {"febbox", "fxiaoke", "xee"}


def load(path):
    """The file's JSON value; a key given twice is an error, which json.load would not notice."""

    def unique(pairs):
        keys = [key for key, _ in pairs]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{path.name}: given twice: {sorted(twice)}")
        return dict(pairs)

    with path.open(encoding="utf-8") as file:
        return json.load(file, object_pairs_hook=unique)


def pointer(path):
    """A sequence of keys and indices as a JSON Pointer (RFC 6901)."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join("/" + part for part in escaped)


def resolves(document, text):
    """Whether the JSON Pointer names a value of the document."""
    for part in text.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(part) if isinstance(document, list) else part]
        except (KeyError, IndexError, ValueError, TypeError):
            return False
    return True


def subschemas(schema, path=""):
    """Every member of a `properties` object below the schema, with where it stands."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from subschemas(item, f"{path}/{index}")
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key == "properties" and "if" not in path.split("/"):
            for name, member in value.items():
                yield f"{path}/properties/{name}", member
        if key not in ("examples", "default", "enum", "const"):
            yield from subschemas(value, f"{path}/{key}")


class SchemaTest(unittest.TestCase):
    """What an editor reports while a configuration is written."""

    @classmethod
    def setUpClass(cls):
        cls.schema = load(CONFIG / "evertoken.schema.json")
        cls.validator = jsonschema.Draft202012Validator(cls.schema)
        fixtures = ROOT / "Tests" / "Unit" / "Fixtures"
        cls.table = load(fixtures / "documents.json")

    def mistakes(self, document):
        """What the schema refuses, as (pointer, message)."""
        return [
            (pointer(error.absolute_path), error.message)
            for error in self.validator.iter_errors(document)
        ]

    def test_the_schema_is_a_valid_draft_2020_12_schema(self):
        self.assertEqual(self.schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_the_schema_refers_to_nothing_missing_and_defines_nothing_unused(self):
        text = json.dumps(self.schema)
        for name in self.schema["$defs"]:
            self.assertIn(f'"$ref": "#/$defs/{name}"', text)
        defined = {f'#/$defs/{name}"' for name in self.schema["$defs"]}
        used = {rest.split('"')[0] + '"' for rest in text.split('"$ref": "')[1:]}
        self.assertEqual(used, defined)

    def test_every_key_has_a_text_that_an_editor_can_show(self):
        definitions = self.schema["$defs"]
        for path, member in subschemas(self.schema):
            if "/if/" in path or "/then/" in path:
                continue
            target = definitions.get(member.get("$ref", "").rpartition("/")[2], {})
            self.assertTrue(member.get("description") or target.get("description"), path)

    def test_every_good_document_is_accepted(self):
        self.assertGreaterEqual(len(self.table["good"]), 40)
        for entry in self.table["good"]:
            with self.subTest(entry["name"]):
                self.assertEqual(self.mistakes(entry["document"]), [])

    def test_every_semantic_mistake_is_left_to_the_loader(self):
        for entry in self.table["semantic"]:
            with self.subTest(entry["name"]):
                self.assertEqual(self.mistakes(entry["document"]), [])

    def test_every_bad_document_is_refused_at_its_one_mistake(self):
        self.assertGreaterEqual(len(self.table["bad"]), 80)
        for entry in self.table["bad"]:
            with self.subTest(entry["name"]):
                found = self.mistakes(entry["document"])
                places = {place for place, _ in found}
                self.assertEqual(places, {entry["pointer"]}, found)
                self.assertTrue(resolves(entry["document"], entry["pointer"]))

    def test_no_two_documents_of_the_table_have_one_name(self):
        names = [entry["name"] for entries in self.table.values() for entry in entries]
        self.assertEqual(len(names), len(set(names)))

    def test_every_key_of_the_schema_is_used_by_a_good_document(self):
        used = set()

        def collect(value):
            if isinstance(value, dict):
                used.update(value)
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, (dict, list)):
                    collect(item)

        collect([entry["document"] for entry in self.table["good"]])
        known = {path.rpartition("/")[2] for path, _ in subschemas(self.schema)}
        self.assertEqual(known - used, set())

    def test_the_example_is_accepted_and_holds_no_secret(self):
        example = load(CONFIG / "evertoken.json")
        self.assertEqual(self.mistakes(example), [])
        self.assertTrue((CONFIG / example["$schema"]).is_file())
        for name, credential in example["credentials"].items():
            for key in ("client_secret", "refresh_token"):
                self.assertNotIsInstance(credential.get(key), str, f"{name}.{key}")

    def test_every_shipped_profile_may_stand_in_a_configuration(self):
        profiles = {path.stem: load(path) for path in PROFILES.glob("*.json")}
        self.assertLessEqual(SHIPPED, set(profiles), f"profiles missing in {PROFILES}")
        for name, profile in profiles.items():
            for entry in self.table["good"]:
                document = json.loads(json.dumps(entry["document"]))
                document.setdefault("providers", {})["shipped"] = profile
                for credential in document["credentials"].values():
                    credential["provider"] = "shipped"
                with self.subTest(profile=name, document=entry["name"]):
                    self.assertEqual(profile["name"], name)
                    self.assertEqual(self.mistakes(document), [])
