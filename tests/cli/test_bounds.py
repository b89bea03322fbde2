"""What the configuration allows is what the code can do: the two do not know each other."""

from commonroom.config.c2s import Limits
from commonroom.config.kinds import Whole
from commonroom.config.option import options
from commonroom.config.sasl import Sasl
from commonroom.protocol.sasl.scram_keys import DEFAULT_ITERATIONS, LARGEST_ITERATIONS
from commonroom.xml.parser import DEEPEST


def test_no_depth_can_be_configured_that_the_parser_refuses() -> None:
    kind = options(Limits)["depth"].kind
    assert isinstance(kind, Whole)
    assert kind.maximum == DEEPEST


def test_no_iterations_can_be_configured_that_stored_keys_refuse() -> None:
    option = options(Sasl)["iterations"]
    assert isinstance(option.kind, Whole)
    assert option.kind.maximum <= LARGEST_ITERATIONS
    assert option.default == DEFAULT_ITERATIONS
