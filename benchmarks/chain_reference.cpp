// The uniformised chain under JFSQ, twice: as a textbook has it, and as fast as its author could make one path.
//
// In    the arrays of jfsq_simpy.chain.layout (tables, queue lengths, sets of bits, counts)
// Out   the same arrays after n events, with the same tally
// Rule  both read the package's words, so that a run of either must equal the package's own, count by count
// Cost  see benchmarks/chain.py, which compiles this file
//
// `textbook` takes one event at a time: a word, a draw from the alias table, a departure or an arrival.
// `best` draws a block of words ahead, recodes it as runs of departures before an arrival, and keeps the word
// every arrival reads in a register: the algorithm of chain/first.py in the hands of another compiler.

#include <algorithm>
#include <cstdint>

using u64 = std::uint64_t;
using i64 = std::int64_t;

namespace {

constexpr i64 BLOCK = 2048;  // events drawn ahead
constexpr i64 MOST_IN_BYTE = 255;
constexpr i64 AHEAD = 16;  // departures between asking for a cache line and using it

}  // namespace

extern "C" struct Chain {
  // words
  u64 start, gamma;
  // tables: an alias table over servers (one word an event) or cells of servers (two), and the arrival
  i64 words, n_servers, bits;
  const u64* column;
  const std::int32_t* cell_first;
  const std::uint8_t* cell_bits;
  const u64* surely;
  const i64* limit_at;
  const u64* limit;
  // state
  i64 places, n_queue, n_leaf, n_middle, n_layers;
  std::uint8_t* queue;
  u64* leaf;
  u64* middle;
  const u64* layer;
  u64* top;
  // counts
  i64 n_groups, by_bytes;
  const std::uint16_t* group_of;  // of each server; with more than one layer, of the first of each 64
  const i64* edges;
  i64* joins;
  i64* at_most;
  std::uint8_t* in_bytes;
  i64* full;
  i64* numbers;  // blocked, snapshots, arrivals
};

namespace {

inline u64 mix64(u64 z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

i64 ones_between(const u64* row, i64 first, i64 end) {
  if (first >= end) return 0;
  const i64 low = first >> 6, high = (end - 1) >> 6;
  const u64 left = ~0ull << (first & 63), right = ~0ull >> (63 - ((end - 1) & 63));
  if (low == high) return __builtin_popcountll(row[low] & left & right);
  i64 on = __builtin_popcountll(row[low] & left) + __builtin_popcountll(row[high] & right);
  for (i64 w = low + 1; w < high; ++w) on += __builtin_popcountll(row[w]);
  return on;
}

// The group of a server where the table has one entry for 64 of them.
inline u64 group_near(const Chain& c, u64 server) {
  u64 group = c.group_of[server >> 6];
  while (c.edges[group + 1] <= static_cast<i64>(server)) ++group;
  return group;
}

void add_up(Chain& c) {
  for (i64 level = 0; level < c.places; ++level) {
    std::uint8_t* row = c.in_bytes + level * c.n_queue;
    for (i64 n = 0; n < c.n_servers; ++n) c.at_most[c.group_of[n] * c.places + level] += row[n];
    std::fill(row, row + c.n_queue, 0);
  }
}

void snapshot_now(Chain& c) {
  // locals: a write through a pointer to bytes may change anything the compiler cannot rule out
  const i64 n_queue = c.n_queue, n_leaf = c.n_leaf, n_servers = c.n_servers, places = c.places;
  const std::uint8_t* const __restrict queue = c.queue;
  for (i64 level = 0; level < places; ++level) {
    const u64* const row = c.leaf + (level + 1) * n_leaf;
    i64 on = 0;
    for (i64 w = 0; w < n_leaf; ++w) on += __builtin_popcountll(row[w]);
    if (on == n_servers) {
      ++c.full[level];
      break;
    }
    if (c.by_bytes) {
      std::uint8_t* const __restrict bytes = c.in_bytes + level * n_queue;
      const std::uint8_t most = static_cast<std::uint8_t>(level);
      for (i64 n = 0; n < n_queue; ++n) bytes[n] += queue[n] <= most;
    } else {
      for (i64 g = 0; g < c.n_groups; ++g) c.at_most[g * places + level] += ones_between(row, c.edges[g], c.edges[g + 1]);
    }
  }
  if (++c.numbers[1] % MOST_IN_BYTE == 0 && c.by_bytes) add_up(c);
}

}  // namespace

// ---- as a textbook has it ---------------------------------------------------------------------------------------

namespace {

inline void textbook_departure(Chain& c, i64 server) {
  const i64 held = c.queue[server];
  if (held == 0) return;
  c.queue[server] = static_cast<std::uint8_t>(held - 1);
  i64 inside = server;
  c.leaf[held * c.n_leaf + (inside >> 6)] |= 1ull << (inside & 63);
  inside >>= 6;
  for (i64 d = 0; d < c.n_layers; ++d, inside >>= 6)
    c.middle[held * c.n_middle + c.layer[d] + (inside >> 6)] |= 1ull << (inside & 63);
  c.top[held] |= 1ull << inside;
}

inline void textbook_arrival(Chain& c) {
  ++c.numbers[2];
  i64 level = 0;
  while (level < c.places && c.top[level + 1] == 0) ++level;
  if (level == c.places) {
    ++c.numbers[0];
    return;
  }
  u64* const leaf = c.leaf + (level + 1) * c.n_leaf;
  u64* const middle = c.middle + (level + 1) * c.n_middle;
  i64 inside = __builtin_ctzll(c.top[level + 1]);
  for (i64 d = c.n_layers - 1; d >= 0; --d) inside = inside << 6 | __builtin_ctzll(middle[c.layer[d] + inside]);
  const i64 server = inside << 6 | __builtin_ctzll(leaf[inside]);
  const i64 group = c.n_layers > 1 ? group_near(c, server) : c.group_of[server];
  ++c.joins[group * c.places + level];
  c.queue[server] = static_cast<std::uint8_t>(level + 1);
  leaf[inside] &= leaf[inside] - 1;
  if (leaf[inside] != 0) return;
  for (i64 d = 0; d < c.n_layers; ++d) {
    u64& word = middle[c.layer[d] + (inside >> 6)];
    word &= ~(1ull << (inside & 63));
    inside >>= 6;
    if (word != 0) return;
  }
  c.top[level + 1] &= ~(1ull << inside);
}

}  // namespace

extern "C" void textbook(Chain* chain, i64 first, i64 n, i64 snapshot, i64 stride) {
  Chain& c = *chain;
  const u64 low = (1ull << c.bits) - 1;
  for (i64 event = first; event < first + n; ++event) {
    if (event == snapshot) {
      snapshot_now(c);
      snapshot += stride;
    }
    const u64 word = mix64(c.start + (static_cast<u64>(event) + 1) * c.gamma);
    const u64 own = word >> (64 - c.bits), entry = c.column[own];
    const i64 outcome = static_cast<i64>(((word << c.bits) | low) < entry ? own : entry & low);
    if (outcome == c.n_servers)
      textbook_arrival(c);
    else
      textbook_departure(c, outcome);
  }
}

// ---- as fast as one path goes -----------------------------------------------------------------------------------

namespace {

struct Block {
  u64 one[BLOCK], two[BLOCK];
  std::int32_t code[BLOCK], leaving[BLOCK + 2], before[BLOCK + 1];
};

void decode(const Chain& c, Block& block, i64 first, i64 n) {
  const u64 bits = c.bits, shift = 64 - bits, low = (1ull << bits) - 1;
  const u64 step = static_cast<u64>(c.words) * c.gamma, base = c.start + static_cast<u64>(first) * step;
  for (i64 i = 0; i < n; ++i) block.one[i] = mix64(base + static_cast<u64>(i) * step + c.gamma);
  if (c.words == 1) {
    for (i64 i = 0; i < n; ++i) {
      const u64 word = block.one[i], own = word >> shift, entry = c.column[own];
      const u64 keep = -static_cast<u64>(((word << bits) | low) < entry);
      block.code[i] = static_cast<std::int32_t>((entry & low & ~keep) | (own & keep));
    }
    return;
  }
  for (i64 i = 0; i < n; ++i) block.two[i] = mix64(base + static_cast<u64>(i) * step + step);
  for (i64 i = 0; i < n; ++i) {
    const u64 word = block.one[i], second = block.two[i], own = word >> shift, entry = c.column[own];
    const u64 keep = -static_cast<u64>(((word << bits) | low) < entry);
    const u64 cell = (entry & low & ~keep) | (own & keep);
    const u64 inside = c.cell_bits[cell];
    const i64 offset = static_cast<i64>((second >> 1) >> (63 - inside));
    i64 server = c.cell_first[cell] + offset;
    const u64 coin = second << inside;
    if (coin > c.surely[cell] && coin > c.limit[c.limit_at[cell] + offset]) server = c.n_servers + 1;
    block.code[i] = static_cast<std::int32_t>(server);
  }
}

// Where an arrival finds its server: the sets of one level.
template <int LAYERS>
inline __attribute__((always_inline)) u64 take_first(u64& top, u64* leaf, u64* middle, const u64* layer) {
  u64 inside = __builtin_ctzll(top);
  for (int d = LAYERS - 1; d >= 0; --d) inside = inside << 6 | __builtin_ctzll(middle[layer[d] + inside]);
  const u64 word = leaf[inside], server = inside << 6 | __builtin_ctzll(word);
  u64 left = word & (word - 1);
  leaf[inside] = left;
  for (int d = 0; d < LAYERS; ++d) {
    u64* const above = middle + layer[d] + (inside >> 6);
    left = *above & ~(static_cast<u64>(left == 0) << (inside & 63));
    *above = left;
    inside >>= 6;
  }
  top &= ~(static_cast<u64>(left == 0) << inside);
  return server;
}

// A stretch of arrivals, each after its departures. A function of its own: fewer values compete for registers.
template <int LAYERS>
__attribute__((noinline)) i64 stretch(Chain& c, const std::int32_t* const leaving, const std::int32_t* const before,
                                      const u64 n_arriving, u64& idle) {
  std::uint8_t* const queue = c.queue;
  u64 *const leaf = c.leaf, *const middle = c.middle, *const top = c.top;
  const std::uint16_t* const group_of = c.group_of;
  i64* const joins = c.joins;
  const u64 places = c.places, n_leaf = c.n_leaf, n_middle = c.n_middle;
  const i64 nobody = BLOCK + 1;
  u64 layer[LAYERS + 1] = {};
  for (int d = 0; d < LAYERS; ++d) layer[d] = c.layer[d];
  u64 idle_top = idle;
  i64 s = 0, blocked = 0;
  for (u64 j = 0;; ++j) {
    const i64 last = before[j];
    const auto depart = [&](i64 i) __attribute__((always_inline)) {
      const u64 server = static_cast<u64>(leaving[i]);
      if (LAYERS > 0) {  // a large fleet: what will be touched soon is sent for
        const u64 ahead = static_cast<u64>(leaving[std::min(i + AHEAD, BLOCK - 1)]);
        __builtin_prefetch(queue + ahead, 1, 3);
        __builtin_prefetch(leaf + n_leaf + (ahead >> 6), 1, 3);
      }
      const u64 held = queue[server];
      queue[server] = static_cast<std::uint8_t>(held - (held > 0));
      u64 inside = server >> 6;
      leaf[held * n_leaf + inside] |= 1ull << (server & 63);
      for (int d = 0; d < LAYERS; ++d, inside >>= 6) middle[held * n_middle + layer[d] + (inside >> 6)] |= 1ull << (inside & 63);
      idle_top |= static_cast<u64>(held == 1) << inside;
      top[held] |= 1ull << inside;
    };
    depart(nobody ^ ((nobody ^ s) & -static_cast<i64>(s < last)));  // at least one, without a branch
    for (i64 i = s + 1; i < last; ++i) depart(i);
    s = last;
    if (j == n_arriving) break;
    if (__builtin_expect(idle_top != 0, 1)) {
      const u64 server = take_first<LAYERS>(idle_top, leaf + n_leaf, middle + n_middle, layer);
      queue[server] = 1;
      ++joins[(LAYERS > 1 ? group_near(c, server) : group_of[server]) * places];
      continue;
    }
    u64 level = 1;
    while (level < places && top[level + 1] == 0) ++level;
    if (level == places) {
      ++blocked;
      continue;
    }
    const u64 row = level + 1;
    const u64 server = take_first<LAYERS>(top[row], leaf + row * n_leaf, middle + row * n_middle, layer);
    queue[server] = static_cast<std::uint8_t>(row);
    ++joins[(LAYERS > 1 ? group_near(c, server) : group_of[server]) * places + level];
  }
  idle = idle_top;
  return blocked;
}

template <int LAYERS>
void best(Chain& c, i64 first, i64 n, i64 snapshot, i64 stride) {
  static Block block;
  const std::int32_t arrival = static_cast<std::int32_t>(c.n_servers);
  block.leaving[BLOCK + 1] = arrival + 1;
  u64 idle_top = c.top[1];
  for (i64 event = first; event < first + n;) {
    const i64 size = std::min(BLOCK, first + n - event);
    decode(c, block, event, size);
    for (i64 at = 0; at < size;) {
      if (event + at == snapshot) {
        snapshot_now(c);
        snapshot += stride;
      }
      const i64 stop = std::min(size, snapshot - event);
      u64 n_leaving = 0, n_arriving = 0;
      for (; at < stop; ++at) {
        const std::int32_t code = block.code[at];
        block.leaving[n_leaving] = code;
        block.before[n_arriving] = static_cast<std::int32_t>(n_leaving);
        const u64 arrives = code == arrival;
        n_leaving += 1 - arrives;
        n_arriving += arrives;
      }
      block.before[n_arriving] = static_cast<std::int32_t>(n_leaving);
      c.numbers[2] += static_cast<i64>(n_arriving);
      c.numbers[0] += stretch<LAYERS>(c, block.leaving, block.before, n_arriving, idle_top);
    }
    event += size;
  }
  c.top[1] = idle_top;
}

}  // namespace

extern "C" void best_path(Chain* chain, i64 first, i64 n, i64 snapshot, i64 stride) {
  switch (chain->n_layers) {
    case 0: return best<0>(*chain, first, n, snapshot, stride);
    case 1: return best<1>(*chain, first, n, snapshot, stride);
    case 2: return best<2>(*chain, first, n, snapshot, stride);
    default: return best<3>(*chain, first, n, snapshot, stride);
  }
}
