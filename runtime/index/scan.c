/* Scans a partition's codes and decides by its float32 rows: the inner loop of runtime/index/codes.py.
 *
 * Codes lie in blocks of 64 rows. A block holds, for each pair of nibbles, 64 bytes: the low half of a byte is
 * the row's code in the pair's first nibble, the high half in its second. Byte 2i belongs to row i of the block,
 * byte 2i + 1 to row 32 + i: so even and odd bytes add up in 16-bit lanes and are stored without a shuffle.
 *
 * A query becomes one table of 16 bytes a nibble (Andre et al., "Cache locality is not enough",
 * VLDB 2015: tables so small that a shuffle of bytes looks them up). Rows whose sum may be that of one of the
 * best are scored by their bytes, a quarter of a row; those that may be best by these, by their float32 values.
 */
#include "scan.h"

#include "scan_best.h"
#include "scan_lanes.h"

#define AHEAD 8     /* float32 rows fetched ahead */
#define WAITING 192 /* rows of bytes fetched, then scored together */
#define SEEDS 44    /* rows scored first, beyond twice those wanted */

/* What a search works on, of room for `blocks` blocks: sums [blocks][64], most [blocks], near [blocks][64]. */
typedef struct {
    uint16_t *sums;
    uint16_t *most; /* of a block's sums */
    int32_t *near;  /* rows that may be among the best, and their scores by their bytes */
    float *near_scores;
} Scratch;

/* A query in 16 bits a dimension, such that its product with a row of bytes fits 32. */
typedef struct {
    int16_t values[MOST_DIM];
    float unit, constant; /* score = unit * product + constant */
} Rounded;

INLINE void round_query(const Partition *p, const float *query, float constant, Rounded *rounded) {
    float most = 0, sum = 0;
    for (int i = 0; i < p->dim; i++) {
        float size = fabsf(query[i]);
        most = size > most ? size : most;
        sum += size;
    }
    float step = fmaxf(most / 32767, sum / (float)(0x7fffffff / 128 - MOST_DIM));
    if (!(step > 0)) step = 1;
    for (int i = 0; i < p->dim; i++) rounded->values[i] = (int16_t)rintf(query[i] / step);
    rounded->unit = step * p->grain;
    rounded->constant = constant;
}

INLINE int32_t product(const int16_t *a, const int8_t *b, int dim) {
    int32_t sum = 0;
    for (int i = 0; i < dim; i++) sum += a[i] * b[i];
    return sum;
}

/* The count-th largest of some sums: first its upper byte, then its lower one. One pass with a bin for each value
 * would be a quarter of a megabyte of bins, which takes longer than the whole scan where none is in the cache. */
static uint16_t ranked(const uint16_t *sums, int64_t size, int64_t count) {
    uint32_t upper[256] = {0}, lower[256] = {0};
    for (int64_t i = 0; i < size; i++) upper[sums[i] >> 8]++;
    int high = 255;
    int64_t seen = upper[high];
    while (seen < count && high > 0) seen += upper[--high];
    seen -= upper[high]; /* those above the bin that holds it */
    for (int64_t i = 0; i < size; i++)
        if (sums[i] >> 8 == high) lower[sums[i] & 255]++;
    int low = 255;
    for (seen += lower[low]; seen < count && low > 0;) seen += lower[--low];
    return (uint16_t)(high << 8 | low);
}

INLINE void fetch(const void *row, int size) {
    for (int byte = 0; byte < size; byte += 64) __builtin_prefetch((const char *)row + byte);
}

/* Score rows by their bytes. Kept near is what comes within `margin` of the best so far. */
INLINE int64_t score_bytes(const Partition *p, const Rounded *query, const int32_t *waiting, int size,
                           float margin, Best *best, Scratch *s, int64_t near) {
    for (int i = 0; i < size; i++) {
        const int8_t *bytes = p->bytes + (int64_t)waiting[i] * p->dim;
        float score = query->unit * (float)product(query->values, bytes, p->dim) + query->constant;
        if (best->held == best->room && score + margin < best->scores[0]) continue;
        keep(best, waiting[i], score);
        s->near[near] = waiting[i], s->near_scores[near++] = score;
    }
    return near;
}

/* Score by their bytes the rows that have a sum from `from` up to and without `to`. */
INLINE int64_t look(const Partition *p, const Rounded *query, const uint64_t *excluded, int from, int to,
                    float margin, Best *best, Scratch *s, int64_t near, Above above) {
    int32_t waiting[WAITING];
    int size = 0;
    int64_t blocks = (p->count + BLOCK - 1) / BLOCK;
    for (int64_t block = 0; block < blocks; block++) {
        if (s->most[block] < from) continue;
        const uint16_t *sums = s->sums + block * BLOCK;
        uint64_t mask = above(sums, (uint16_t)from);
        if (to < 65536) mask &= ~above(sums, (uint16_t)to);
        if (excluded) mask &= ~excluded[block];
        if (block == blocks - 1 && p->count % BLOCK) mask &= ((uint64_t)1 << p->count % BLOCK) - 1;
        for (; mask; mask &= mask - 1) {
            int64_t row = block * BLOCK + __builtin_ctzll(mask);
            fetch(p->bytes + row * p->dim, p->dim); /* they lie far apart: on their way while others are found */
            waiting[size++] = (int32_t)row;
        }
        if (size > WAITING - BLOCK) near = score_bytes(p, query, waiting, size, margin, best, s, near), size = 0;
    }
    return score_bytes(p, query, waiting, size, margin, best, s, near);
}

INLINE int search(const Partition *p, const float *query, const uint64_t *excluded, int wanted, float width,
                  Scratch *s, int64_t *ids, float *scores, int64_t *scored, Sum sum, Above above) {
    Tables tables;
    Rounded rounded;
    int64_t blocks = (p->count + BLOCK - 1) / BLOCK, near = 0;
    Best best = {ids, scores, 0, wanted};
    make_tables(p, query, width, &tables);
    round_query(p, query, tables.constant, &rounded);
    /* Rounding to bytes is uniform, and independent from one dimension to the next. Two scores are compared. */
    float margin = 2 * width * p->grain * sqrtf(dot(query, query, p->dim) / 12);
    sum(p, &tables, blocks, s->sums);
    if (excluded)
        for (int64_t block = 0; block < blocks; block++)
            for (uint64_t mask = excluded[block]; mask; mask &= mask - 1)
                s->sums[block * BLOCK + __builtin_ctzll(mask)] = 0;
    for (int64_t row = p->count; row < blocks * BLOCK; row++) s->sums[row] = 0;
    for (int64_t block = 0; block < blocks; block++) {
        uint16_t largest = 0;
        for (int i = 0; i < BLOCK; i++) {
            uint16_t value = s->sums[block * BLOCK + i];
            largest = value > largest ? value : largest;
        }
        s->most[block] = largest;
    }
    /* The worst of the best of some rows says what is worth looking at: the more rows, the less is. Blocks' maxima
     * give a threshold that at least as many rows pass, with far fewer values to rank. */
    int64_t seeds = 2 * (int64_t)wanted + SEEDS;
    if (seeds > p->count) seeds = p->count;
    int first = blocks >= 2 * seeds ? ranked(s->most, blocks, seeds) : ranked(s->sums, p->count, seeds);
    near = look(p, &rounded, excluded, first, 65536, margin, &best, s, near, above);
    /* What scores better than the worst kept has a sum of at least this. */
    float least = best.held < wanted
                      ? -1
                      : (best.scores[0] - margin / 2 - tables.bias) / tables.step;
    int second = least <= 0 ? 0 : least >= first ? first : (int)least;
    if (second < first) near = look(p, &rounded, excluded, second, first, margin, &best, s, near, above);
    /* Whatever is near is scored exactly, best of all by its bytes or not. */
    float bound = best.held < wanted ? -INFINITY : best.scores[0] - margin;
    int64_t last = 0;
    for (int64_t i = 0; i < near; i++) {
        if (s->near_scores[i] < bound) continue;
        if (last < AHEAD) fetch(p->rows + (int64_t)s->near[i] * p->dim, 4 * p->dim);
        s->near[last++] = s->near[i];
    }
    best.held = 0;
    for (int64_t i = 0; i < last; i++) {
        if (i + AHEAD < last) fetch(p->rows + (int64_t)s->near[i + AHEAD] * p->dim, 4 * p->dim);
        keep(&best, s->near[i], dot(p->rows + (int64_t)s->near[i] * p->dim, query, p->dim));
    }
    *scored = last;
    rank(&best);
    return best.held;
}

typedef int (*Search)(const Partition *, const float *, const uint64_t *, int, float, Scratch *, int64_t *,
                      float *, int64_t *);

#define SEARCH(name, target, sum, above)                                                                     \
    target static int name(const Partition *p, const float *query, const uint64_t *excluded, int wanted,     \
                           float width, Scratch *s, int64_t *ids, float *scores, int64_t *scored) {          \
        return search(p, query, excluded, wanted, width, s, ids, scores, scored, sum, above);                \
    }

SEARCH(search_plain, , sum_plain, above_plain)
#if defined(__x86_64__)
SEARCH(search_avx2, __attribute__((target("avx2,fma,bmi"))), sum_avx2, above_avx2)
#define FEATURES_512 "avx512f,avx512bw,avx512vl,avx512dq,fma,bmi"
SEARCH(search_avx512, __attribute__((target(FEATURES_512))), sum_avx512, above_avx512)
SEARCH(search_vbmi, __attribute__((target(FEATURES_512 ",avx512vbmi"))), sum_vbmi, above_avx512)
#elif defined(__aarch64__)
SEARCH(search_neon, , sum_neon, above_neon)
#endif

static Search search_for(int lanes) {
#if defined(__x86_64__)
    if ((lanes == 0 || lanes == 3) && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return lanes == 0 && __builtin_cpu_supports("avx512vbmi") ? search_vbmi : search_avx512;
    if (lanes != 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi"))
        return search_avx2;
#elif defined(__aarch64__)
    if (lanes != 1) return search_neon;
#endif
    return search_plain;
}

int64_t edge_retrieve_scratch(int64_t count) {
    int64_t blocks = (count + BLOCK - 1) / BLOCK;
    return blocks * (BLOCK * 10 + 64) + 256;
}

void edge_retrieve_scan(const Partition *p, const float *queries, int number, const uint64_t *excluded, int wanted,
                        float width, int lanes, void *scratch, int64_t *ids, float *scores, int64_t *found,
                        int64_t *scored) {
    int64_t room = (p->count + BLOCK - 1) / BLOCK * BLOCK;
    Scratch s;
    s.near = scratch;
    s.near_scores = (float *)(s.near + room);
    s.sums = (uint16_t *)(s.near_scores + room);
    s.most = s.sums + room;
    Search run = search_for(lanes);
    for (int i = 0; i < number; i++)
        found[i] = run(p, queries + (int64_t)i * p->dim, excluded, wanted, width, &s, ids + (int64_t)i * wanted,
                       scores + (int64_t)i * wanted, scored + i);
}
