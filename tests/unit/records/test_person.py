import pytest

from ptacl_core.errors import ConfigError
from ptacl_core.records import Person, parse_person


def test_any_part_in_any_order_and_spelling():
    assert parse_person("sex=F, age=61,height=165,weight=70.5") == Person("F", 61, 165, 70.5)
    assert parse_person("weight_kg=70,sex=male") == Person("M", weight_kg=70)
    assert parse_person("") == Person()


@pytest.mark.parametrize(
    "text",
    ["sex=Q", "age=old", "age=nan", "age=700", "height=1.65", "shoes=42", "61", "weight=inf"],
)
def test_what_is_wrong_is_said(text):
    with pytest.raises(ConfigError, match="person: ") as failure:
        parse_person(f"sex=F,{text}")
    assert text.partition("=")[2] in str(failure.value)
