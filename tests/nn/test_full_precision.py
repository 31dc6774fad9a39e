"""Where angles are measured no product has fewer digits than its type, and that is proved, not believed."""

import math

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.nn import Ensemble, ensemble_statistics  # noqa: E402
from gpdeep.nn.ensembles import statistics  # noqa: E402
from gpdeep.nn.ensembles.full_precision import (  # noqa: E402
    LowPrecisionError,
    full_precision,
    require_full_precision,
)

matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
SUMS = [f"allow_{kind}_reduced_precision_reduction{part}" for kind in ("bf16", "fp16") for part in ("", "_split_k")]
has_new_switches = pytest.mark.skipif(
    not hasattr(torch._C, "_get_fp32_precision_getter"), reason="switches by operation came with torch 2.9"
)


def rounded(x, bits):
    """`x` with `bits` binary digits behind the first, to nearest."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp(torch.round(mantissa * 2.0 ** (bits + 1)) / 2.0 ** (bits + 1), exponent)


def in_tf32(a, b):
    return torch.bmm(rounded(a, 10), rounded(b, 10))


def in_bfloat16(a, b):
    return torch.bmm(a.bfloat16(), b.bfloat16()).to(a.dtype)


def in_float32(a, b):
    return torch.bmm(a.float(), b.float()).to(a.dtype)


def to_nothing(a, b):
    return a @ b * math.nan


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_products_in_their_own_type_pass(dtype):
    require_full_precision(dtype, "cpu")
    require_full_precision(dtype, "cpu", lambda a, b: torch.baddbmm(torch.zeros_like(a), a, b))


@pytest.mark.parametrize(
    ("dtype", "multiply", "says"),
    [
        (torch.float32, in_tf32, "2.4e-04|0.00024"),
        (torch.float32, in_bfloat16, r"2\^-12"),
        (torch.float64, in_float32, r"2\^-26"),
        (torch.float64, in_tf32, r"2\^-26"),
        (torch.float32, to_nothing, "nan"),
    ],
)
def test_products_with_fewer_digits_are_refused(dtype, multiply, says):
    with pytest.raises(LowPrecisionError, match=says) as error:
        require_full_precision(dtype, "cpu", multiply)
    assert "NVIDIA_TF32_OVERRIDE" in error.value.cause
    assert "float64" in error.value.change


def settings():
    where = [("cuda", "matmul"), ("cuda", "conv"), ("cuda", "rnn"), ("mkldnn", "matmul"), ("generic", "all")]
    read = getattr(torch._C, "_get_fp32_precision_getter", None)
    own = [read(*one) for one in where] if read else [torch.get_float32_matmul_precision(), cudnn.allow_tf32]
    return [*own, *(getattr(matmul, name, None) for name in SUMS)]


@pytest.fixture
def kept_settings():
    """The settings as they were, whatever a test does to them."""
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, matmul.allow_bf16_reduced_precision_reduction
    yield
    if hasattr(torch._C, "_set_fp32_precision_setter"):
        torch._C._set_fp32_precision_setter("cuda", "matmul", "none")
        torch._C._set_fp32_precision_setter("mkldnn", "matmul", "none")
    torch.set_float32_matmul_precision(before[0])
    cudnn.allow_tf32, matmul.allow_bf16_reduced_precision_reduction = before[1:]


@pytest.mark.usefixtures("kept_settings")
@pytest.mark.parametrize("chosen", ["highest", "high", "medium"])
def test_the_users_settings_come_back_after_an_error_too(chosen):
    torch.set_float32_matmul_precision(chosen)
    matmul.allow_bf16_reduced_precision_reduction = (False, False) if hasattr(matmul, SUMS[1]) else False
    before = settings()

    def failing():
        with full_precision():
            assert not matmul.allow_bf16_reduced_precision_reduction
            assert not matmul.allow_fp16_reduced_precision_reduction
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert settings() == before
    assert torch.get_float32_matmul_precision() == chosen


@pytest.mark.usefixtures("kept_settings")
@has_new_switches
def test_tf32_and_bfloat16_are_off_within_for_products_and_convolutions_whichever_switch_was_used():
    torch.set_float32_matmul_precision("medium")
    with full_precision():
        assert settings()[:4] == ["ieee"] * 4
    matmul.fp32_precision = "tf32"  # from here on torch refuses to read its old switch
    before = settings()
    with full_precision():
        assert settings()[:4] == ["ieee"] * 4
    assert settings() == before


def test_autocast_is_off_within():
    a = torch.full((4, 4), 1 + 2.0**-12)
    with torch.autocast("cpu", torch.bfloat16):
        assert (a @ torch.eye(4)).dtype is torch.bfloat16
        with full_precision():
            assert torch.equal(a @ torch.eye(4), a)
        nets = Ensemble("2,8x3,1", 1)
        found = ensemble_statistics(nets, torch.eye(2), pairs=[[0, 1]], dtype=torch.float32)
    again = ensemble_statistics(nets, torch.eye(2), pairs=[[0, 1]], dtype=torch.float32)
    assert found.log_sin2.tolist() == again.log_sin2.tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="TF32 is a GPU's, and torch sees none here")
def test_a_gpu_that_was_told_to_use_tf32_measures_angles_without(kept_settings):
    torch.set_float32_matmul_precision("high")
    with pytest.raises(LowPrecisionError):
        require_full_precision(torch.float32, "cuda")
    with full_precision():
        require_full_precision(torch.float32, "cuda")
        require_full_precision(torch.float64, "cuda")
    nets = Ensemble("2,64x5,1", 2, device="cuda")
    fast = ensemble_statistics(nets, torch.eye(2), pairs=[[0, 1]], dtype=torch.float32)
    exact = ensemble_statistics(nets, torch.eye(2), pairs=[[0, 1]])
    # float32 errs by 1e-7 of an angle near 1 a layer; TF32 by 1e-3
    assert abs(fast.log_sin2 - exact.log_sin2).max() < 1e-4


def test_the_floor_of_angles_follows_the_type():
    assert statistics.angle_floor(torch.float32) == pytest.approx(5e-7, rel=0.1)
