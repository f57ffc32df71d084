"""System: load and alpha, places, what is legal at the edges, and one clear line for what is not."""

import math
import pickle

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskSample, Policy
from jfsq_simpy.policies.policy import shortest


def system(**changes):
    return System(**({"rates": rates.homogeneous(100), "alpha": 0.5, "places": 5} | changes))


# ---- load, alpha, N1 and N2 ----------------------------------------------------------------------------------


def test_alpha_means_load_one_minus_n_to_the_minus_alpha():
    halfin_whitt = system()
    assert halfin_whitt.load == pytest.approx(0.9, rel=1e-15)
    assert halfin_whitt.arrival_rate == pytest.approx(90, rel=1e-15)
    assert halfin_whitt.spare_capacity == pytest.approx(10, rel=1e-13)
    assert halfin_whitt.n2.floor == 90


@pytest.mark.parametrize(("n", "alpha"), [(2, 0.3), (10, 0.99), (10**9, 0.75), (10**9, 0.999), (100, 1e-9)])
def test_alpha_comes_back_as_given(n, alpha):
    given = system(rates=rates.homogeneous(n), alpha=alpha)
    assert given.alpha == alpha
    assert given.replaced(places=3).alpha == alpha
    assert given.load == pytest.approx(1 - n**-alpha, rel=1e-9)


def test_alpha_of_a_load():
    assert system(alpha=None, load=0.9).alpha == pytest.approx(0.5, rel=1e-12)
    assert system(alpha=None, load=1.0).alpha is None
    assert System(rates=[1.0], load=0.5, places=1).alpha is None


def test_homogeneous_halfin_whitt_splits_at_exactly_n_minus_root_n():
    """Load 1 - N^-1/2 leaves sqrt(N) servers spare: whole, whatever rounding 1 - expm1 adds."""
    for root in (2, 3, 10, 100, 1000, 31_622):
        n = root * root
        assert system(rates=rates.homogeneous(n)).n2.floor == n - root
        assert system(rates=rates.homogeneous(n)).n2.fractional == pytest.approx(n - root, rel=1e-11)


def test_n2_by_hand_and_fractional():
    fleet = System(rates=[1.6, 1.2, 0.8, 0.4], load=0.8, places=2)  # 3.2 = 1.6 + 1.2 + 0.4
    assert fleet.n2 == (2, pytest.approx(2.5))


def test_n1_by_hand():
    fleet = System(rates=[1.6, 1.2, 0.8, 0.4], load=0.8, places=2)
    # delta = mu_N / 2 = 0.2, so N1 carries 3.2
    assert fleet.n1() == (2, pytest.approx(2.5))
    assert fleet.n1(0.1) == (3, pytest.approx(3.0))
    assert fleet.n1(0.3) == (2, pytest.approx(2.0))
    assert system().n1().floor == 75  # delta is min(mu_N, 1/2) / 2


@pytest.mark.parametrize("load", [1.0, 1.3, 50.0])
def test_overload_is_legal_and_needs_every_server(load):
    overloaded = System(rates=[1.5, 0.5], load=load, places=2)
    assert overloaded.alpha is None
    assert overloaded.n1() == overloaded.n2 == (2, 2.0)


def test_one_server_one_place_is_legal():
    loss = System(rates=[1.0], load=0.3, places=1)
    assert loss.n2 == (0, pytest.approx(0.3))
    assert loss.describe()["alpha"] is None


def test_a_load_just_below_one_is_not_one():
    near = System(rates=rates.homogeneous(1000), load=1 - 1e-6, places=2)
    assert near.n2.floor == 999


# ---- the rest ------------------------------------------------------------------------------------------------


def test_an_array_in_any_order_is_sorted():
    assert System(rates=[0.5, 1.5], load=0.5, places=1).rates.vector().tolist() == [1.5, 0.5]


def test_whole_numbers_may_be_written_as_floats_or_numpy_scalars():
    assert system(places=3.0).places == 3
    assert system(places=np.int64(3)).places == 3
    assert system(alpha=None, load=np.float64(0.5)).load == 0.5


def test_replaced_keeps_what_was_given():
    grown = system().replaced(rates=rates.homogeneous(10_000))
    assert grown.load == pytest.approx(0.99)
    assert system().replaced(load=0.7).alpha == pytest.approx(-math.log(0.3) / math.log(100))
    assert system(alpha=None, load=0.7).replaced(alpha=0.5).load == pytest.approx(0.9)
    assert system(policy="jsq", size="deterministic").replaced(places=1).policy.name == "jsq"


def test_only_poisson_arrivals_and_exponential_sizes_are_markov():
    assert system().is_markov
    assert not system(size="deterministic").is_markov
    assert not system(arrivals="deterministic").is_markov


def test_a_system_is_frozen_and_travels_between_processes():
    with pytest.raises(AttributeError):
        system().places = 3
    copy = pickle.loads(pickle.dumps(system()))
    assert copy.describe() == system().describe()


def test_describe_fills_in_every_default():
    said = system().describe()
    assert set(said) == {"servers", "load", "alpha", "places", "rates", "policy", "size", "arrivals"}
    assert said["policy"]["name"] == "jfsq"
    assert said["size"]["law"] == "exponential"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"load": 0.5}, "alpha and load are both given"),
        ({"alpha": None}, "alpha or load is missing"),
        ({"alpha": 0.0}, "alpha = 0.0 must lie strictly between 0 and 1"),
        ({"alpha": 1.0}, "alpha = 1.0"),
        ({"alpha": float("nan")}, "alpha = nan"),
        ({"alpha": "0.5"}, "alpha = 0.5"),
        ({"alpha": True}, "alpha = True"),
        ({"rates": [1.0]}, "N = 1 would mean load 0.*Give load"),
        ({"alpha": None, "load": 0.0}, "load = 0.0 must be a finite number above 0"),
        ({"alpha": None, "load": -1}, "load = -1"),
        ({"alpha": None, "load": float("inf")}, "load = inf"),
        ({"alpha": None, "load": float("nan")}, "load = nan"),
        ({"alpha": None, "load": "high"}, "load = high"),
        ({"places": 0}, "places = 0 must be a whole number from 1 to 254"),
        ({"places": 255}, "places = 255"),
        ({"places": 2.5}, "places = 2.5"),
        ({"places": float("nan")}, "places = nan"),
        ({"places": True}, "places = True"),
        ({"places": "two"}, "places = two"),
        ({"places": None}, "places = None"),
        ({"rates": [1.0, 2.0]}, "sum to 3 but must sum to N = 2"),
        ({"policy": "fastest"}, "no policy 'fastest'.*jfsq"),
        ({"policy": Policy("jsq_d", shortest, AskSample(101))}, "policy.d = 101.*N = 100"),
    ],
)
def test_bad_input_is_one_clear_line(changes, says):
    with pytest.raises(ModelError, match=says) as caught:
        system(**changes)
    assert "\n" not in str(caught.value)


def test_more_samples_than_servers_are_fine_with_replacement():
    assert system(policy=Policy("jsq_d", shortest, AskSample(101, replace=True))).policy.samples == 101


def test_n1_refuses_a_share_outside_zero_one():
    for delta in (0.0, 1.0, float("nan")):
        with pytest.raises(ModelError, match="delta"):
            system().n1(delta)
