"""Triton kernels of the published chain and of a place's chain: many steps in one launch.

A program holds a block of one event's chains in registers, the small network's weights on chip, and
draws its noise by Philox. Imported where a GPU is used and Triton is found
(`smash.sampling.fused`); with TRITON_INTERPRET=1 it runs on a CPU.

Matrices are inputs by outputs; H is a power of two, columns of marks are padded to `COLUMNS`.
"""

import triton
import triton.language as tl

COLUMNS = tl.constexpr(16)
EPSILON = tl.constexpr(1e-10)
"""As in `smash.model.time_branch`."""


@triton.jit
def _dot(a, b, PRECISION: tl.constexpr):
    """Returns a b in float32, with the inputs' digits that `PRECISION` leaves."""
    if PRECISION == "float16":
        return tl.dot(a.to(tl.float16), b)
    elif PRECISION == "bfloat16":
        return tl.dot(a.to(tl.bfloat16), b)
    else:
        return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def _matrix(at, rows: tl.constexpr, columns: tl.constexpr, PRECISION: tl.constexpr):
    """Returns a matrix (rows, columns) that lies at `at`, in the type that products take."""
    row, column = tl.arange(0, rows), tl.arange(0, columns)
    matrix = tl.load(at + row[:, None] * columns + column[None, :])
    if PRECISION == "float16":
        matrix = matrix.to(tl.float16)
    elif PRECISION == "bfloat16":
        matrix = matrix.to(tl.bfloat16)
    return matrix


@triton.jit
def _normals(seed, chain, step):
    """Returns four standard normal numbers for each chain (B,) at a step."""
    counter = chain.to(tl.uint32)
    zero = counter * 0
    a, b, c, d = tl.philox(seed, counter, (zero + step).to(tl.uint32), zero, zero)
    first, second = tl.pair_uniform_to_normal(
        tl.uint_to_uniform_float(a), tl.uint_to_uniform_float(b)
    )
    third, fourth = tl.pair_uniform_to_normal(
        tl.uint_to_uniform_float(c), tl.uint_to_uniform_float(d)
    )
    return first, second, third, fourth


@triton.jit
def _clamped(x, reach):
    """Returns x within ± `reach`; what is no number stays none, as with `Tensor.clamp`."""
    return tl.where(x != x, x, tl.minimum(tl.maximum(x, -reach), reach))


@triton.jit
def _softplus(x):
    """Returns log(1 + exp(x)), exact for small values too."""
    small = tl.exp(-tl.abs(x))
    whole = 1.0 + small
    return tl.maximum(x, 0.0) + tl.log(whole) + (small - (whole - 1.0)) / whole


@triton.jit
def _place_score(
    x,
    y,
    mixed,
    first_x,
    first_y,
    first_term,
    second,
    second_term,
    third,
    third_term,
    joint,
    last_x,
    last_y,
    bias_x,
    bias_y,
    PRECISION: tl.constexpr,
):
    """Returns the score (B,), (B,) of places x, y (B,), as `smash.model.score_head` has it."""
    hidden = x[:, None] * first_x[None, :] + y[:, None] * first_y[None, :] + first_term[None, :]
    hidden = tl.maximum(hidden, 0.0)
    hidden = tl.maximum(_dot(hidden, second, PRECISION) + second_term[None, :], 0.0)
    hidden = tl.maximum(_dot(hidden, third, PRECISION) + third_term[None, :], 0.0)
    read = tl.maximum(mixed + _dot(hidden, joint, PRECISION), 0.0)
    return tl.sum(read * last_x[None, :], 1) + bias_x, tl.sum(read * last_y[None, :], 1) + bias_y


@triton.jit
def chain_kernel(
    z_at,
    mark_at,
    intensity_at,
    time_terms_at,
    time_first_at,
    time_second_at,
    time_third_at,
    time_head_at,
    time_head_bias_at,
    time_last_at,
    time_last_bias_at,
    place_terms_at,
    place_first_at,
    place_second_at,
    place_third_at,
    place_last_at,
    place_last_bias_at,
    mixed_bias_at,
    mixed_weight_at,
    joint_weight_at,
    shift_at,
    seed,
    n_steps,
    n_chains,
    half_step,
    root,
    K: tl.constexpr,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
    SHIFT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Walks the chains of one event `n_steps` on, in place; leaves the last step's intensities.

    z (N, S, 3); marks (N, S) int64; intensities (N, S, K); terms of the trunks (N, 3, H); of the
    mixed layer the bias (N, H) and the matrices of time and place (N, H, H); shifts of marks
    (K, H).
    """
    event = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1)
    h, k = tl.arange(0, H), tl.arange(0, COLUMNS)
    row = block * BLOCK + tl.arange(0, BLOCK)
    held = row < n_chains
    chain = event * n_chains + row
    t = tl.load(z_at + chain * 3, mask=held, other=0.0)
    x = tl.load(z_at + chain * 3 + 1, mask=held, other=0.0)
    y = tl.load(z_at + chain * 3 + 2, mask=held, other=0.0)
    mark = tl.zeros((BLOCK,), tl.int32)
    if K > 1:
        mark = tl.load(mark_at + chain, mask=held, other=0).to(tl.int32)

    of_event = event * H
    time_first = tl.load(time_first_at + h)
    time_second = _matrix(time_second_at, H, H, PRECISION)
    time_third = _matrix(time_third_at, H, H, PRECISION)
    time_head = _matrix(time_head_at, H, H, PRECISION)
    time_head_bias = tl.load(time_head_bias_at + h)
    time_last = _matrix(time_last_at, H, COLUMNS, PRECISION)
    time_last_bias = tl.load(time_last_bias_at + k)
    time_first_term = tl.load(time_terms_at + 3 * of_event + h)
    time_second_term = tl.load(time_terms_at + 3 * of_event + H + h)
    time_third_term = tl.load(time_terms_at + 3 * of_event + 2 * H + h)
    first_x, first_y = tl.load(place_first_at + h), tl.load(place_first_at + H + h)
    place_second = _matrix(place_second_at, H, H, PRECISION)
    place_third = _matrix(place_third_at, H, H, PRECISION)
    place_first_term = tl.load(place_terms_at + 3 * of_event + h)
    place_second_term = tl.load(place_terms_at + 3 * of_event + H + h)
    place_third_term = tl.load(place_terms_at + 3 * of_event + 2 * H + h)
    last_x, last_y = tl.load(place_last_at + h), tl.load(place_last_at + H + h)
    bias_x, bias_y = tl.load(place_last_bias_at), tl.load(place_last_bias_at + 1)
    mixed_bias = tl.load(mixed_bias_at + of_event + h)
    mixed_weight = _matrix(mixed_weight_at + of_event * H, H, H, PRECISION)
    joint_weight = _matrix(joint_weight_at + of_event * H, H, H, PRECISION)
    is_mark = k[None, :] < K

    for step in range(n_steps):
        hidden = tl.maximum(t[:, None] * time_first[None, :] + time_first_term[None, :], 0.0)
        slope = tl.where(hidden > 0.0, time_first[None, :], 0.0)
        hidden = tl.maximum(_dot(hidden, time_second, PRECISION) + time_second_term[None, :], 0.0)
        slope = tl.where(hidden > 0.0, _dot(slope, time_second, PRECISION), 0.0)
        hidden = tl.maximum(_dot(hidden, time_third, PRECISION) + time_third_term[None, :], 0.0)
        slope = tl.where(hidden > 0.0, _dot(slope, time_third, PRECISION), 0.0)
        inner = tl.maximum(_dot(hidden, time_head, PRECISION) + time_head_bias[None, :], 0.0)
        inner_slope = tl.where(inner > 0.0, _dot(slope, time_head, PRECISION), 0.0)
        logit = _dot(inner, time_last, PRECISION) + time_last_bias[None, :]
        intensity = tl.where(is_mark, _softplus(logit), 0.0)
        intensity_slope = tl.sigmoid(logit) * _dot(inner_slope, time_last, PRECISION)
        total = tl.sum(intensity, 1)

        mixed = _dot(hidden, mixed_weight, PRECISION) + mixed_bias[None, :]
        if SHIFT:
            mixed += tl.load(shift_at + mark[:, None] * H + h[None, :])
        score_x, score_y = _place_score(
            x,
            y,
            mixed,
            first_x,
            first_y,
            place_first_term,
            place_second,
            place_second_term,
            place_third,
            place_third_term,
            joint_weight,
            last_x,
            last_y,
            bias_x,
            bias_y,
            PRECISION,
        )
        own = is_mark
        if K > 1:
            own = k[None, :] == mark[:, None]
        own_slope = tl.sum(tl.where(own, intensity_slope, 0.0), 1)
        own_intensity = tl.sum(tl.where(own, intensity, 0.0), 1)
        score_t = own_slope / (own_intensity + EPSILON) - total

        noise_t, noise_x, noise_y, fourth = _normals(seed, chain, step)
        t = t + half_step * score_t + root * noise_t
        x = x + half_step * score_x + root * noise_x
        y = y + half_step * score_y + root * noise_y
        t, x, y = _clamped(t, 1.0), _clamped(x, 1.0), _clamped(y, 1.0)
        if K > 1:
            # A normal number's rank is uniform; the mark is the first whose sum lies above it.
            level = 0.5 * (1.0 + tl.erf(0.7071067811865476 * fourth)) * total
            reached = tl.zeros((BLOCK,), tl.float32)
            mark = tl.zeros((BLOCK,), tl.int32)
            for one in tl.static_range(K - 1):
                reached += tl.sum(tl.where(k[None, :] == one, intensity, 0.0), 1)
                mark += (reached <= level).to(tl.int32)
            if step == n_steps - 1:
                at = chain[:, None] * K + k[None, :]
                tl.store(intensity_at + at, intensity, mask=held[:, None] & is_mark)

    tl.store(z_at + chain * 3, t, mask=held)
    tl.store(z_at + chain * 3 + 1, x, mask=held)
    tl.store(z_at + chain * 3 + 2, y, mask=held)
    if K > 1:
        tl.store(mark_at + chain, mark.to(tl.int64), mask=held)


@triton.jit
def place_kernel(
    place_at,
    mixed_at,
    sizes_at,
    terms_at,
    first_at,
    second_at,
    third_at,
    last_at,
    last_bias_at,
    joint_weight_at,
    seed,
    n_steps,
    n_chains,
    reach,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Walks the places (N, S, 2) of one event by steps of sizes (T,), in place.

    Given the mixed layer (N, S, H) of their times and marks; clamped to `reach` after each step.
    """
    event = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1)
    h = tl.arange(0, H)
    row = block * BLOCK + tl.arange(0, BLOCK)
    held = row < n_chains
    chain = event * n_chains + row
    x = tl.load(place_at + chain * 2, mask=held, other=0.0)
    y = tl.load(place_at + chain * 2 + 1, mask=held, other=0.0)
    mixed = tl.load(mixed_at + chain[:, None] * H + h[None, :], mask=held[:, None], other=0.0)

    of_event = event * H
    first_x, first_y = tl.load(first_at + h), tl.load(first_at + H + h)
    second = _matrix(second_at, H, H, PRECISION)
    third = _matrix(third_at, H, H, PRECISION)
    joint_weight = _matrix(joint_weight_at + of_event * H, H, H, PRECISION)
    first_term = tl.load(terms_at + 3 * of_event + h)
    second_term = tl.load(terms_at + 3 * of_event + H + h)
    third_term = tl.load(terms_at + 3 * of_event + 2 * H + h)
    last_x, last_y = tl.load(last_at + h), tl.load(last_at + H + h)
    bias_x, bias_y = tl.load(last_bias_at), tl.load(last_bias_at + 1)

    for step in range(n_steps):
        size = tl.load(sizes_at + step)
        score_x, score_y = _place_score(
            x,
            y,
            mixed,
            first_x,
            first_y,
            first_term,
            second,
            second_term,
            third,
            third_term,
            joint_weight,
            last_x,
            last_y,
            bias_x,
            bias_y,
            PRECISION,
        )
        noise_x, noise_y, _, _ = _normals(seed, chain, step)
        root = tl.sqrt(size)
        x = x + 0.5 * size * score_x + root * noise_x
        y = y + 0.5 * size * score_y + root * noise_y
        x, y = _clamped(x, reach), _clamped(y, reach)

    tl.store(place_at + chain * 2, x, mask=held)
    tl.store(place_at + chain * 2 + 1, y, mask=held)
