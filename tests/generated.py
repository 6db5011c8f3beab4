"""Random cases for the property tests: the same in every run, and none is timed."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=60,
    # Files are written anew in each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")

deviations = st.floats(-3, 3, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def measurements(draw: st.DrawFn, min_size: int = 2, max_size: int = 20) -> list[float]:
    """Values of seeds that differ, of any magnitude: mean and spread from 1e-6 to 1e9."""
    spread = 10.0 ** draw(st.integers(-6, 9))
    centre = draw(st.sampled_from([0.0, 1.0, -1.0])) * 10.0 ** draw(st.integers(-6, 9))
    scattered = draw(st.lists(deviations, min_size=min_size, max_size=max_size))
    values = [centre + spread * value for value in scattered]
    # At a spread that rounding swallows, no two implementations agree.
    if max(values) - min(values) < max(1e-7, 1e-5 * max(map(abs, values))):
        values[0] = values[1] + max(spread, abs(centre))
    return values


def percentages(
    min_size: int = 1, max_size: int = 12
) -> st.SearchStrategy[tuple[int, list[tuple[int, int]]]]:
    """A number of test items, and the wrong ones of student and teacher for each seed."""
    return st.sampled_from([100, 597, 600, 2000, 10_000]).flatmap(
        lambda items: st.tuples(
            st.just(items),
            st.lists(
                st.tuples(st.integers(0, min(items, 30)), st.integers(0, min(items, 30))),
                min_size=min_size,
                max_size=max_size,
            ),
        )
    )
