// The jobs view as a C++ programmer would write it for one purpose: JFSQ, per job, any size law, first come
// first served, finite places, gathering the same tally as the package. The yardstick for `events`.
//
// In    a file with the system (see `Plan`), and draws: from a file, or from its own generator
// Out   a file with the counts, and on standard output the seconds of processor time it took
// Use   jobs_reference PLAN OUT            own draws (exponential gaps and sizes), for timing
//       jobs_reference PLAN OUT DRAWS      draws of the package, for checking: the counts must be equal
//
// Compiled with -DPLACES=b and -DTIES=0|1, so that the compiler knows both: TIES=0 is a fleet whose speeds all
// differ, TIES=1 one whose speeds are all equal (then every choice is a tie). Nothing here is part of the package.

#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

using i64 = int64_t;
using u64 = uint64_t;
using u32 = uint32_t;
using u8 = uint8_t;

constexpr u32 B = PLACES;
constexpr i64 BLOCK = 65536;
constexpr i64 N_BINS = 5378, FIRST_BIN = 1003 << 7, BIN_SHIFT = 45;
constexpr double TICKS = 16777216.0;
constexpr i64 AHEAD = 12;  // lists

// ---- memory: zeroed when it is first touched, on large pages, as NumPy asks for it ----

template <class T>
T* zeros(size_t n) {
    const size_t bytes = std::max(n * sizeof(T), size_t(1));
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) exit(3);
    madvise(memory, bytes, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
}

template <class T>
T* read_array(FILE* file, size_t n) {
    T* values = zeros<T>(n);
    if (fread(values, sizeof(T), n, file) != n) exit(4);
    return values;
}

// ---- draws ----

struct Generator {  // xoshiro256++
    u64 s[4];

    explicit Generator(u64 seed) {
        for (u64& word : s) {  // SplitMix64
            u64 z = (seed += 0x9E3779B97F4A7C15ull);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
            word = z ^ (z >> 31);
        }
    }
    static u64 rotate(u64 x, int k) { return x << k | x >> (64 - k); }
    u64 word() {
        const u64 result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= t;
        s[3] = rotate(s[3], 45);
        return result;
    }
    double uniform() { return (word() >> 11) * 0x1p-53; }
};

struct Ziggurat {  // exponential, 256 layers of equal area (Marsaglia & Tsang 2000)
    double x[257], f[257];

    Ziggurat() {
        const double r = 7.69711747013104972, v = 3.9496598225815571993e-3;
        x[0] = v * exp(r), x[1] = r, x[256] = 0;
        for (int i = 2; i < 256; i++) x[i] = -log(exp(-x[i - 1]) + v / x[i - 1]);
        for (int i = 0; i < 257; i++) f[i] = exp(-x[i]);
    }
    double operator()(Generator& generator) const {
        for (;;) {
            const u64 word = generator.word();
            const int i = word & 255;
            const double z = (word >> 11) * 0x1p-53 * x[i];
            if (z < x[i + 1]) return z;
            if (i == 0) return x[1] - log(1 - generator.uniform());
            if (f[i] + generator.uniform() * (f[i + 1] - f[i]) < exp(-z)) return z;
        }
    }
};

struct OwnDraws {
    Generator generator;
    Ziggurat exponential;
    double mean_gap;

    OwnDraws(u64 seed, double arrival_rate) : generator(seed), mean_gap(1 / arrival_rate) {}
    double gap() { return exponential(generator) * mean_gap; }
    double size() { return exponential(generator); }
    double tie() { return generator.uniform(); }
};

struct GivenDraws {  // blocks of gaps, sizes and ties
    FILE* file;
    std::vector<double> gaps, sizes, ties;
    i64 k = BLOCK;

    explicit GivenDraws(const char* name) : file(fopen(name, "rb")), gaps(BLOCK), sizes(BLOCK), ties(BLOCK) {}
    double gap() {
        if (k == BLOCK) {
            for (auto* column : {&gaps, &sizes, &ties})
                if (fread(column->data(), 8, BLOCK, file) != size_t(BLOCK)) exit(5);
            k = 0;
        }
        return gaps[k];
    }
    double tie() { return ties[k]; }
    double size() { return sizes[k++]; }
};

// ---- the system, and what is counted ----

struct Plan {
    i64 n_servers, n_groups, n_bands, snapshots, seed;
    double arrival_rate, end;
};

struct Server {
    double rate, free_at;
    u32 group;
    u8 band, queue;
};

struct Node {  // a pending departure
    double time;
    u32 server, following;
};

struct Cell {
    i64 joins, below;
};

struct Totals {
    i64 arrivals, blocked, wait_ticks, response_ticks;
};

inline i64 time_bin(double time) {
    i64 bits;
    memcpy(&bits, &time, 8);
    return std::min(std::max((bits >> BIN_SHIFT) - FIRST_BIN + 1, i64(1)), N_BINS - 1);
}

// ---- the loop ----

template <class Draws>
Totals simulate(const Plan& plan, Draws& draws, Server* servers, Cell* cells, i64* wait_bins, i64* response_bins) {
    const u32 n_servers = plan.n_servers;
    // thermometer sets: bit n of words[l] is on while server n holds at most l jobs; each summary bit, a word below
    const u32 n_words = (n_servers + 63) / 64, n_blocks = (n_words + 63) / 64, n_regions = (n_blocks + 63) / 64;
    u64 *words = zeros<u64>(size_t(B) * n_words), *blocks = zeros<u64>(size_t(B) * n_blocks), *regions = zeros<u64>(size_t(B) * n_regions);
    int* on_by_block = zeros<int>(size_t(B) * n_blocks);
    i64 on[B];
    for (u32 level = 0; level < B; level++) {
        on[level] = n_servers;
        for (u32 n = 0; n < n_servers; n++) {
            words[level * n_words + (n >> 6)] |= 1ull << (n & 63);
            blocks[level * n_blocks + (n >> 12)] |= 1ull << ((n >> 6) & 63);
            regions[level * n_regions + (n >> 18)] |= 1ull << ((n >> 12) & 63);
            on_by_block[level * n_blocks + (n >> 12)]++;
        }
    }
    // calendar: a wheel of unordered lists, one for each expected gap
    i64 lists = 64;
    while (lists < i64(n_servers) * std::max(4u, B) && lists < (1 << 23)) lists *= 2;
    const i64 mask = lists - 1;
    const double per_unit = plan.arrival_rate;
    u32* head = zeros<u32>(lists);
    Node* nodes = zeros<Node>(size_t(n_servers) * B + 1);
    u32 free_node = 0, nodes_used = 0;

    Totals totals{};
    double now = 0, next_snapshot = plan.snapshots > 0 ? 0 : INFINITY;
    i64 position = 0, unseen = plan.snapshots;
    for (;;) {
        const double arrival = now + draws.gap();
        bool over = false;
        for (;;) {
            const double instant = std::min(next_snapshot, arrival);
            over = !(instant < plan.end);
            if (over) break;
            // departures
            const i64 last = i64(instant * per_unit);
            for (;;) {
                u32 node = head[position & mask];
                if (node) {
                    u32 kept = 0;
                    do {
                        Node& entry = nodes[node];
                        const u32 following = entry.following;
                        if (entry.time > instant) {
                            entry.following = kept, kept = node;
                        } else {
                            const u32 n = entry.server;
                            entry.following = free_node, free_node = node;
                            const u32 level = --servers[n].queue;
                            cells[servers[n].group * B + level].below += unseen;
                            words[level * n_words + (n >> 6)] |= 1ull << (n & 63);
                            blocks[level * n_blocks + (n >> 12)] |= 1ull << ((n >> 6) & 63);
                            if (n_blocks > 1) {
                                regions[level * n_regions + (n >> 18)] |= 1ull << ((n >> 12) & 63);
                                if (TIES) on_by_block[level * n_blocks + (n >> 12)]++;
                            }
                            on[level]++;
                        }
                        node = following;
                    } while (node);
                    head[position & mask] = kept;
                }
                if (position >= last) break;
                position++;
                __builtin_prefetch(&nodes[head[(position + 2 * AHEAD) & mask]], 1);
                __builtin_prefetch(&servers[nodes[head[(position + AHEAD) & mask]].server], 1);
            }
            if (instant < next_snapshot) break;
            // a snapshot
            unseen--;
            next_snapshot = unseen > 0 ? (plan.snapshots - unseen) / 8.0 : INFINITY;
        }
        if (over) break;
        now = arrival;
        totals.arrivals++;

        // the choice
        u32 level = 0;
        while (level < B && on[level] == 0) level++;
        if (level == B) {
            totals.blocked++;
            draws.tie(), draws.size();
            continue;
        }
        u32 block = 0;
        if (n_blocks > 1) {
            u32 region = 0;
            while (!regions[level * n_regions + region]) region++;
            block = region << 6 | __builtin_ctzll(regions[level * n_regions + region]);
        }
        u32 w = block << 6 | __builtin_ctzll(blocks[level * n_blocks + block]);
        u64 word = words[level * n_words + w], bits = word;
        if (TIES && on[level] > 1) {
            i64 r = i64(draws.tie() * on[level]);
            w = 0;
            if (n_blocks > 1) {
                const int* ones = &on_by_block[level * n_blocks];
                while (r >= *ones) r -= *ones++, w += 64;
            }
            i64 ones = __builtin_popcountll(words[level * n_words + w]);
            while (r >= ones) r -= ones, ones = __builtin_popcountll(words[level * n_words + ++w]);
            word = bits = words[level * n_words + w];
            while (r--) bits &= bits - 1;
        }
        const u32 n = w << 6 | __builtin_ctzll(bits);

        // the job joins
        Server& server = servers[n];
        const double start = std::max(arrival, server.free_at), departure = start + draws.size() / server.rate;
        server.free_at = departure;
        server.queue = level + 1;
        Cell& cell = cells[server.group * B + level];
        cell.joins++, cell.below -= unseen;
        on[level]--;
        word &= ~(1ull << (n & 63));
        words[level * n_words + w] = word;
        const u64 summary = blocks[level * n_blocks + (n >> 12)] & ~(u64(word == 0) << ((n >> 6) & 63));
        blocks[level * n_blocks + (n >> 12)] = summary;
        if (n_blocks > 1) {
            regions[level * n_regions + (n >> 18)] &= ~(u64(summary == 0) << ((n >> 12) & 63));
            if (TIES) on_by_block[level * n_blocks + (n >> 12)]--;
        }
        u32 node = free_node ? free_node : ++nodes_used;
        free_node = nodes[node].following;
        u32& front = head[i64(departure * per_unit) & mask];
        nodes[node] = Node{departure, n, front};
        front = node;

        // its counts
        i64 place = 0;
        if (start > arrival) {
            const double wait = start - arrival;
            totals.wait_ticks += i64(wait * TICKS + 0.5);
            place = time_bin(wait);
        }
        wait_bins[server.band * N_BINS + place]++;
        const double response = departure - arrival;
        totals.response_ticks += i64(response * TICKS + 0.5);
        response_bins[server.band * N_BINS + (response > 0 ? time_bin(response) : 0)]++;
    }
    return totals;
}

double seconds() {  // of processor time
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int argc, char** argv) {
    FILE* file = argc >= 3 ? fopen(argv[1], "rb") : nullptr;
    Plan plan;
    if (!file || fread(&plan, sizeof plan, 1, file) != 1) return 2;
    const double* rates = read_array<double>(file, plan.n_servers);
    const u32* group = read_array<u32>(file, plan.n_servers);
    const u32* band = read_array<u32>(file, plan.n_servers);
    Server* servers = zeros<Server>(plan.n_servers);
    for (i64 n = 0; n < plan.n_servers; n++) servers[n] = Server{rates[n], 0.0, group[n], u8(band[n]), 0};
    Cell* cells = zeros<Cell>(plan.n_groups * B);
    i64 *wait_bins = zeros<i64>(plan.n_bands * N_BINS), *response_bins = zeros<i64>(plan.n_bands * N_BINS);

    const double before = seconds();
    Totals totals;
    if (argc == 3) {
        OwnDraws draws(plan.seed, plan.arrival_rate);
        totals = simulate(plan, draws, servers, cells, wait_bins, response_bins);
    } else {
        GivenDraws draws(argv[3]);
        totals = simulate(plan, draws, servers, cells, wait_bins, response_bins);
    }
    printf("%.9f\n", seconds() - before);

    FILE* out = fopen(argv[2], "wb");
    fwrite(&totals, sizeof totals, 1, out);
    fwrite(cells, sizeof(Cell), plan.n_groups * B, out);
    fwrite(wait_bins, sizeof(i64), plan.n_bands * N_BINS, out);
    fwrite(response_bins, sizeof(i64), plan.n_bands * N_BINS, out);
    fclose(out);
}
