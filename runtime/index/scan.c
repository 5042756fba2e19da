/* Scans a partition's codes and decides by its float32 rows: the inner loop of runtime/index/codes.py.
 *
 * Rows lie cell by cell (cells.py), and a cell none of whose rows can be among the best is passed over. Codes lie
 * in blocks of 64 rows. A block holds, for each pair of nibbles, 64 bytes: the low half of a byte is the row's code
 * in the pair's first nibble, the high half in its second. Byte 2i belongs to row i of the block, byte 2i + 1 to
 * row 32 + i: so even and odd bytes add up in 16-bit lanes and are stored without a shuffle.
 *
 * A query becomes one table of 16 bytes a nibble (Andre et al., "Cache locality is not enough",
 * VLDB 2015: tables so small that a shuffle of bytes looks them up). Rows whose sum may be that of one of the
 * best are scored by their bytes, a quarter of a row; those that may be best by these, by their float32 values.
 */
#include "scan.h"

#include "scan_best.h"
#include "scan_lanes.h"

#define AHEAD 8   /* float32 rows fetched ahead */
#define FAR_AHEAD 4096 /* bytes fetched ahead where every row is read */
#define SEEDS 8   /* rows scored first by their bytes, beyond those wanted */

/* What a search works on. */
typedef struct {
    uint16_t *sums;     /* [blocks][64], of the largest cell */
    int32_t *waiting;   /* [blocks][64], likewise: places found and fetched, scored when the next cell is summed up */
    int size, cell;     /* how many wait, and whose they are */
    int32_t *near;      /* [count]: rows that may be among the best, and their scores by their bytes */
    float *near_scores;
    int64_t number;     /* how many are near */
} Scratch;

/* A query in 16 bits a dimension, such that its product with a row of bytes fits 32. */
typedef struct {
    int16_t values[MOST_DIM];
    float unit, margin; /* score = the centre's + unit * product, within half of the margin */
} Rounded;

INLINE void round_query(const Partition *p, const float *query, float width, Rounded *rounded) {
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
    /* Rounding to bytes is uniform, and independent from one dimension to the next. Two scores are compared. */
    rounded->margin = 2 * width * p->grain * sqrtf(dot(query, query, p->dim) / 12);
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

INLINE void fetch(const void *row, int64_t size) {
    for (int64_t byte = 0; byte < size; byte += 64) __builtin_prefetch((const char *)row + byte);
}

/* Into the second cache: many lines may be on their way there at once, and a processor's own prefetching ends where
 * a page does. */
INLINE void fetch_far(const void *from, int64_t size) {
    for (int64_t byte = 0; byte < size; byte += 64) __builtin_prefetch((const char *)from + byte, 0, 2);
}

/* Find the rows of a cell whose sums are from `from` up to and without `to`. */
INLINE void look(const Partition *p, const uint64_t *excluded, int cell, int from, int to, Scratch *s, Above above) {
    int first = p->starts[cell], blocks = p->starts[cell + 1] - first;
    int left = p->offsets[cell + 1] - p->offsets[cell];
    const int8_t *bytes = p->bytes + (int64_t)p->offsets[cell] * p->dim;
    s->size = 0, s->cell = cell;
    for (int i = 0; i < blocks; i++, left -= BLOCK) {
        uint64_t mask = above(s->sums + i * BLOCK, (uint16_t)from);
        if (to < 65536) mask &= ~above(s->sums + i * BLOCK, (uint16_t)to);
        if (excluded) mask &= ~excluded[first + i];
        if (left < BLOCK) mask &= ((uint64_t)1 << left) - 1;
        for (; mask; mask &= mask - 1) {
            int place = i * BLOCK + __builtin_ctzll(mask);
            fetch(bytes + (int64_t)place * p->dim, p->dim);
            s->waiting[s->size++] = place;
        }
    }
}

/* Score the rows that wait by their bytes. Near is what comes within the margin of the best so far. */
INLINE void score(const Partition *p, const Rounded *query, const Reach *cells, Best *best, Scratch *s) {
    int32_t first = p->offsets[s->cell];
    const int8_t *bytes = p->bytes + (int64_t)first * p->dim;
    for (int i = 0; i < s->size; i++) {
        int32_t place = s->waiting[i];
        float score = cells->centre[s->cell] +
                      query->unit * (float)product(query->values, bytes + (int64_t)place * p->dim, p->dim);
        if (best->held == best->room && score + query->margin < best->scores[0]) continue;
        keep(best, first + place, score);
        s->near[s->number] = first + place, s->near_scores[s->number++] = score;
    }
    s->size = 0;
}

/* The least sum with which a row of a cell may still score as much as the worst of the best. */
INLINE int least_sum(const Best *best, const Tables *t, float centre, float margin) {
    float least = best->held < best->room ? 0 : (best->scores[0] - margin / 2 - centre - t->bias) / t->step;
    return least <= 0 ? 0 : least >= 65535 ? 65535 : (int)least;
}

INLINE void fetch_cell(const Partition *p, int cell) {
    int64_t size = (int64_t)(BLOCK / 2) * p->nibbles;
    fetch_far(p->codes + p->starts[cell] * size, (p->starts[cell + 1] - p->starts[cell]) * size);
}

INLINE void search_cell(const Partition *p, const Rounded *query, const Tables *t, const Reach *cells,
                        const uint64_t *excluded, int cell, Best *best, Scratch *s, Sum sum, Above above) {
    int first = p->starts[cell], blocks = p->starts[cell + 1] - first, seeds = best->room + SEEDS;
    sum(p, t, p->codes + (int64_t)first * (BLOCK / 2) * p->nibbles, blocks, s->sums);
    score(p, query, cells, best, s);
    int least = least_sum(best, t, cells->centre[cell], query->margin);
    if (best->held < best->room && p->offsets[cell + 1] - p->offsets[cell] > seeds) {
        /* Nothing says yet what is worth looking at: the worst of the best by their codes will. */
        for (int i = 0; excluded && i < blocks; i++)
            for (uint64_t mask = excluded[first + i]; mask; mask &= mask - 1)
                s->sums[i * BLOCK + __builtin_ctzll(mask)] = 0;
        int from = ranked(s->sums, p->offsets[cell + 1] - p->offsets[cell], seeds);
        look(p, excluded, cell, from, 65536, s, above);
        score(p, query, cells, best, s);
        least = least_sum(best, t, cells->centre[cell], query->margin);
        if (least < from) look(p, excluded, cell, least, from, s, above);
    } else
        look(p, excluded, cell, least, 65536, s, above);
    if (best->held < best->room) score(p, query, cells, best, s);
}

/* Floats as integers of the same order, whose largest is found in lanes. */
INLINE int32_t in_order(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}

#define SEARCHED INT32_MIN

INLINE int highest(const int32_t *most, int cells) {
    int32_t top = SEARCHED;
    for (int cell = 0; cell < cells; cell++) top = most[cell] > top ? most[cell] : top;
    int cell = 0;
    while (most[cell] != top) cell++;
    return cell;
}

INLINE int search(const Partition *p, const float *query, const uint64_t *excluded, int wanted, float width,
                  int thorough, Scratch *s, int64_t *ids, float *scores, int64_t *scored, Sum sum, Above above) {
    Tables tables;
    Reach cells;
    Rounded rounded;
    int32_t most[MOST_CELLS];
    Best best = {ids, scores, 0, wanted};
    fetch_far(p->rotation, 2 * (int64_t)p->dim * p->dim);
    fetch_far(p->levels, 64 * (int64_t)p->sharing * p->nibbles);
    fetch_far(p->slots, 4 * (int64_t)p->sharing * p->nibbles);
    fetch_far(p->centres, 2 * (int64_t)p->dim * p->cells);
    make_tables(p, query, width, &tables);
    reach(p, query, &tables, width, &cells);
    round_query(p, query, width, &rounded);
    s->number = s->size = 0;
    for (int cell = 0; cell < p->cells; cell++) most[cell] = in_order(cells.most[cell]);
    int cell = highest(most, p->cells), next;
    for (; most[cell] != SEARCHED; cell = next) {
        if (!thorough && best.held == wanted && cells.most[cell] < best.scores[0] - rounded.margin / 2) break;
        most[cell] = SEARCHED;
        next = highest(most, p->cells);
        fetch_cell(p, next);
        search_cell(p, &rounded, &tables, &cells, excluded, cell, &best, s, sum, above);
    }
    score(p, &rounded, &cells, &best, s);
    /* Whatever is near is scored by its float32 values, which decide, best of all by its bytes or not. */
    float bound = best.held < wanted ? -INFINITY : best.scores[0] - rounded.margin;
    int64_t last = 0;
    for (int64_t i = 0; i < s->number; i++) {
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

#define SURE 8 /* standard deviations of the rounding to bytes: within them lies every score, that of rounded centres too */

INLINE float score_all(const Partition *p, const float *query, float *scores, int64_t size) {
    Tables tables;
    Reach cells;
    Rounded rounded;
    make_tables(p, query, 0, &tables);
    reach(p, query, &tables, 0, &cells);
    round_query(p, query, SURE, &rounded);
    for (int cell = 0; cell < p->cells; cell++)
        for (int64_t row = p->offsets[cell]; row < p->offsets[cell + 1]; row++) {
            const int8_t *bytes = p->bytes + row * p->dim;
            int64_t study = p->studies[row];
            fetch_far(bytes + FAR_AHEAD, p->dim);
            float score = cells.centre[cell] + rounded.unit * (float)product(rounded.values, bytes, p->dim);
            if (study < 0 || study >= size) return -1;
            if (!(scores[study] >= score)) scores[study] = score;
        }
    return rounded.margin / 2;
}

typedef int (*Search)(const Partition *, const float *, const uint64_t *, int, float, int, Scratch *, int64_t *,
                      float *, int64_t *);
typedef float (*ScoreAll)(const Partition *, const float *, float *, int64_t);
/* Both for one width of a processor's lanes. */
typedef struct {
    Search search;
    ScoreAll score_all;
} Loops;

#define SEARCH(name, target, sum, above)                                                                     \
    target static int name(const Partition *p, const float *query, const uint64_t *excluded, int wanted,     \
                           float width, int thorough, Scratch *s, int64_t *ids, float *scores,               \
                           int64_t *scored) {                                                                \
        return search(p, query, excluded, wanted, width, thorough, s, ids, scores, scored, sum, above);      \
    }                                                                                                        \
    target static float name##_all(const Partition *p, const float *query, float *scores, int64_t size) {    \
        return score_all(p, query, scores, size);                                                            \
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

static Loops loops_for(int lanes) {
    Loops plain = {search_plain, search_plain_all};
#if defined(__x86_64__)
    Loops avx2 = {search_avx2, search_avx2_all}, avx512 = {search_avx512, search_avx512_all},
          vbmi = {search_vbmi, search_vbmi_all};
    if ((lanes == 0 || lanes == 3) && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return lanes == 0 && __builtin_cpu_supports("avx512vbmi") ? vbmi : avx512;
    if (lanes != 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi"))
        return avx2;
#elif defined(__aarch64__)
    Loops neon = {search_neon, search_neon_all};
    if (lanes != 1) return neon;
#endif
    return plain;
}

/* Blocks of the largest cell. */
static int64_t room_of(const Partition *p) {
    int64_t most = 0;
    for (int cell = 0; cell < p->cells; cell++) {
        int64_t blocks = p->starts[cell + 1] - p->starts[cell];
        most = blocks > most ? blocks : most;
    }
    return most;
}

int64_t edge_retrieve_scratch(const Partition *p) { return room_of(p) * BLOCK * 6 + p->count * 8; }

void edge_retrieve_scan(const Partition *p, const float *queries, int number, const uint64_t *excluded, int wanted,
                        float width, int thorough, int lanes, void *scratch, int64_t *ids, float *scores, int64_t *found,
                        int64_t *scored) {
    Scratch s;
    s.near = scratch;
    s.near_scores = (float *)(s.near + p->count);
    s.waiting = (int32_t *)(s.near_scores + p->count);
    s.sums = (uint16_t *)(s.waiting + room_of(p) * BLOCK);
    Search run = loops_for(lanes).search;
    for (int i = 0; i < number; i++)
        found[i] = run(p, queries + (int64_t)i * p->dim, excluded, wanted, width, thorough, &s, ids + (int64_t)i * wanted,
                       scores + (int64_t)i * wanted, scored + i);
}

float edge_retrieve_score_all(const Partition *p, const float *query, float *scores, int64_t size, int lanes) {
    return loops_for(lanes).score_all(p, query, scores, size);
}
