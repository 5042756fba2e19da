/* Scans a partition's codes and decides by its float32 rows: the inner loop of runtime/index/codes.py.
 *
 * Codes lie in blocks of 64 rows. A block holds, for each pair of nibbles, 64 bytes: the low half of a byte is
 * the row's code in the pair's first nibble, the high half in its second. Byte 2i belongs to row i of the block,
 * byte 2i + 1 to row 32 + i: so even and odd bytes add up in 16-bit lanes and are stored without a shuffle.
 *
 * A query becomes one table of 16 bytes a nibble (Andre et al., "Cache locality is not enough",
 * VLDB 2015: tables so small that a shuffle of bytes looks them up). Baseline C does the same, slowly.
 */
#include <stdint.h>
#include <string.h>
#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define BLOCK 64
#define AHEAD 8     /* rows fetched ahead */
#define WAITING 512 /* rows scored together */
#define MOST_DIM 1024
#define MOST_NIBBLES 512 /* 256 pairs of at most 255: sums fit 16 bits */
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    const uint8_t *codes;   /* [blocks][nibbles / 2][64] */
    const float *mean;      /* [dim] */
    const float *rotation;  /* [dim][dim], a row each direction */
    const float *levels;    /* [dim][16]: what a code stands for */
    const float *residual;  /* [dim]: variance that the codes leave */
    const int32_t *slots;   /* [nibbles][4]: directions in a nibble, -1 for none */
    const int8_t *bytes;    /* [count][dim]: the rows in steps of `grain` */
    const float *rows;      /* [count][dim] */
    int64_t count;
    float grain;
    int32_t dim;
    int32_t nibbles;        /* even */
} Partition;

typedef struct {
    uint8_t tables[MOST_NIBBLES][16];
    float bias, step, error; /* score = bias + step * sum, give or take a standard deviation of error */
} Tables;

typedef void (*Scan)(const Partition *, const Tables *, int64_t, uint16_t *);

/* The lanes are added up in double: rows that differ by 3e-7 are told apart. */
INLINE float dot(const float *a, const float *b, int dim) {
    float lanes[16] = {0};
    double sum = 0;
    int i = 0;
    for (; i + 16 <= dim; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += a[i + j] * b[i + j];
    for (; i < dim; i++) sum += (double)a[i] * b[i];
    for (int j = 0; j < 16; j++) sum += lanes[j];
    return (float)sum;
}

/* -- a block's sums, one lane width each ------------------------------------------------------------- */

static void scan_plain(const Partition *p, const Tables *t, int64_t block, uint16_t *sums) {
    const uint8_t *codes = p->codes + block * (BLOCK / 2) * p->nibbles;
    memset(sums, 0, BLOCK * sizeof *sums);
    for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK)
        for (int i = 0; i < BLOCK; i++)
            sums[(i & 1) * 32 + i / 2] +=
                (uint16_t)(t->tables[2 * pair][codes[i] & 15] + t->tables[2 * pair + 1][codes[i] >> 4]);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void scan_avx2(const Partition *p, const Tables *t, int64_t block,
                                                      uint16_t *sums) {
    const __m256i low = _mm256_set1_epi8(15);
    for (int half = 0; half < 2; half++) {
        const uint8_t *codes = p->codes + block * (BLOCK / 2) * p->nibbles + 32 * half;
        __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
        for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK) {
            __m256i code = _mm256_loadu_si256((const __m256i *)codes);
            __m256i first =
                _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->tables[2 * pair]));
            __m256i second =
                _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->tables[2 * pair + 1]));
            __m256i sum = _mm256_add_epi8(
                _mm256_shuffle_epi8(first, _mm256_and_si256(code, low)),
                _mm256_shuffle_epi8(second, _mm256_and_si256(_mm256_srli_epi16(code, 4), low)));
            all = _mm256_add_epi16(all, sum);
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(sum, 8));
        }
        _mm256_storeu_si256((__m256i *)(sums + 16 * half),
                            _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8)));
        _mm256_storeu_si256((__m256i *)(sums + 32 + 16 * half), odd);
    }
}

__attribute__((target("avx512f,avx512bw"))) static void scan_avx512(const Partition *p, const Tables *t,
                                                                    int64_t block, uint16_t *sums) {
    const __m512i low = _mm512_set1_epi8(15);
    const uint8_t *codes = p->codes + block * (BLOCK / 2) * p->nibbles;
    __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK) {
        __m512i code = _mm512_loadu_si512(codes);
        __m512i first = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)t->tables[2 * pair]));
        __m512i second = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)t->tables[2 * pair + 1]));
        __m512i sum = _mm512_add_epi8(
            _mm512_shuffle_epi8(first, _mm512_and_si512(code, low)),
            _mm512_shuffle_epi8(second, _mm512_and_si512(_mm512_srli_epi16(code, 4), low)));
        all = _mm512_add_epi16(all, sum);
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16(sum, 8));
    }
    _mm512_storeu_si512(sums, _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8)));
    _mm512_storeu_si512(sums + 32, odd);
}
#elif defined(__aarch64__)
static void scan_neon(const Partition *p, const Tables *t, int64_t block, uint16_t *sums) {
    const uint8_t *codes = p->codes + block * (BLOCK / 2) * p->nibbles;
    const uint8x16_t low = vdupq_n_u8(15);
    uint16x8_t all[4], odd[4];
    for (int part = 0; part < 4; part++) all[part] = odd[part] = vdupq_n_u16(0);
    for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK) {
        uint8x16_t first = vld1q_u8(t->tables[2 * pair]), second = vld1q_u8(t->tables[2 * pair + 1]);
        for (int part = 0; part < 4; part++) {
            uint8x16_t code = vld1q_u8(codes + 16 * part);
            uint16x8_t sum = vreinterpretq_u16_u8(vaddq_u8(vqtbl1q_u8(first, vandq_u8(code, low)),
                                                           vqtbl1q_u8(second, vshrq_n_u8(code, 4))));
            all[part] = vaddq_u16(all[part], sum);
            odd[part] = vsraq_n_u16(odd[part], sum, 8);
        }
    }
    for (int part = 0; part < 4; part++) {
        vst1q_u16(sums + 8 * part, vsubq_u16(all[part], vshlq_n_u16(odd[part], 8)));
        vst1q_u16(sums + 32 + 8 * part, odd[part]);
    }
}
#endif

/* -- a query's tables ---------------------------------------------------------------------------------- */

INLINE void make_tables(const Partition *p, const float *query, Tables *t) {
    float turned[MOST_DIM], exact[MOST_NIBBLES][16], smallest[MOST_NIBBLES], range[MOST_NIBBLES];
    float variance = 0, widest = 0;
    for (int d = 0; d < p->dim; d++) {
        turned[d] = dot(p->rotation + (int64_t)d * p->dim, query, p->dim);
        variance += turned[d] * turned[d] * p->residual[d];
    }
    t->bias = dot(p->mean, query, p->dim);
    for (int n = 0; n < p->nibbles; n++) {
        const int32_t *slots = p->slots + 4 * n;
        int used = slots[1] < 0 ? 1 : slots[2] < 0 ? 2 : 4, bits = 4 / used;
        float most = -INFINITY, least = INFINITY;
        for (int code = 0; code < 16; code++) {
            float sum = 0;
            for (int s = 0; s < used; s++)
                if (slots[s] >= 0)
                    sum += turned[slots[s]] * p->levels[16 * slots[s] + (code >> (s * bits) & ((1 << bits) - 1))];
            exact[n][code] = sum;
            most = fmaxf(most, sum);
            least = fminf(least, sum);
        }
        smallest[n] = least;
        range[n] = most - least;
        t->bias += least;
        if (n % 2) widest = fmaxf(widest, range[n - 1] + range[n]);
    }
    /* Two bytes are added before they are widened: together they may reach 255, with half a step of rounding each. */
    t->step = widest > 0 ? widest / 254 : 1;
    for (int n = 0; n < p->nibbles; n++)
        for (int code = 0; code < 16; code++)
            t->tables[n][code] = (uint8_t)((exact[n][code] - smallest[n]) / t->step + 0.5f);
    t->error = sqrtf(variance + p->nibbles * t->step * t->step / 12);
}

/* -- the best rows, a heap whose root is the worst kept ------------------------------------------------- */

typedef struct {
    int64_t *ids;
    float *scores;
    int held, room;
} Best;

/* Of equal scores the earlier row is the better. */
INLINE int worse(const Best *b, int i, int j) {
    return b->scores[i] < b->scores[j] || (b->scores[i] == b->scores[j] && b->ids[i] > b->ids[j]);
}

INLINE void swap(Best *b, int i, int j) {
    float score = b->scores[i];
    int64_t id = b->ids[i];
    b->scores[i] = b->scores[j], b->ids[i] = b->ids[j];
    b->scores[j] = score, b->ids[j] = id;
}

static void sink(Best *b, int at, int size) {
    for (int child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && worse(b, child + 1, child)) child++;
        if (!worse(b, child, at)) return;
        swap(b, at, child);
    }
}

static void keep(Best *b, int64_t id, float score) {
    if (b->held < b->room) {
        int at = b->held++;
        b->ids[at] = id, b->scores[at] = score;
        for (; at && worse(b, at, (at - 1) / 2); at = (at - 1) / 2) swap(b, at, (at - 1) / 2);
    } else if (score > b->scores[0] || (score == b->scores[0] && id < b->ids[0])) {
        b->ids[0] = id, b->scores[0] = score;
        sink(b, 0, b->held);
    }
}

/* -- search --------------------------------------------------------------------------------------------- */

/* The count-th largest of some sums, none above 65,535. */
static uint16_t ranked(const uint16_t *sums, int64_t size, int64_t count, uint32_t *bins) {
    uint16_t most = 0;
    for (int64_t i = 0; i < size; i++) most = sums[i] > most ? sums[i] : most;
    memset(bins, 0, ((size_t)most + 1) * sizeof *bins);
    for (int64_t i = 0; i < size; i++) bins[sums[i]]++;
    int value = most;
    for (int64_t seen = bins[value]; seen < count && value > 0;) seen += bins[--value];
    return (uint16_t)value;
}

INLINE float dot_bytes(const float *a, const int8_t *b, int dim) {
    float lanes[16] = {0}, sum = 0;
    int i = 0;
    for (; i + 16 <= dim; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += a[i + j] * (float)b[i + j];
    for (; i < dim; i++) sum += a[i] * (float)b[i];
    for (int j = 0; j < 16; j++) sum += lanes[j];
    return sum;
}

/* A row of bytes is a quarter of a row: it says which rows are worth fetching. They lie far apart, so the next
 * are fetched while one is scored. `slack` is by how much a score in bytes may be too low. */
INLINE int64_t score(const Partition *p, const float *query, const int64_t *waiting, int size, float slack,
                     Best *best) {
    int64_t scored = 0;
    for (int i = 0; i < size; i++) {
        const int8_t *bytes = p->bytes + waiting[i] * p->dim;
        if (i + AHEAD < size)
            for (int d = 0; d < p->dim; d += 64) __builtin_prefetch(p->bytes + waiting[i + AHEAD] * p->dim + d);
        if (best->held == best->room && p->grain * dot_bytes(query, bytes, p->dim) + slack < best->scores[0])
            continue;
        keep(best, waiting[i], dot(p->rows + waiting[i] * p->dim, query, p->dim));
        scored++;
    }
    return scored;
}

/* Score what has a sum from `from` up to and without `to`. */
INLINE int64_t decide(const Partition *p, const float *query, const uint8_t *excluded, const uint16_t *sums,
                      const uint16_t *most, int from, int to, float slack, Best *best) {
    int64_t scored = 0, waiting[WAITING];
    int size = 0;
    for (int64_t start = 0, block = 0; start < p->count; start += BLOCK, block++) {
        if (most[block] < from) continue;
        int64_t end = start + BLOCK < p->count ? start + BLOCK : p->count;
        for (int64_t row = start; row < end; row++) {
            if (sums[row] < from || sums[row] >= to || (excluded && excluded[row])) continue;
            waiting[size++] = row;
        }
        if (size > WAITING - BLOCK) scored += score(p, query, waiting, size, slack, best), size = 0;
    }
    return scored + score(p, query, waiting, size, slack, best);
}

INLINE int search(const Partition *p, const float *query, const uint8_t *excluded, int wanted, float width,
                  uint16_t *scratch, int64_t *ids, float *scores, int64_t *scored, Scan scan) {
    Tables tables;
    uint32_t bins[65536];
    int64_t blocks = (p->count + BLOCK - 1) / BLOCK;
    uint16_t *sums = scratch, *most = scratch + blocks * BLOCK;
    Best best = {ids, scores, 0, wanted};
    make_tables(p, query, &tables);
    /* Rounding to bytes is uniform and independent from one dimension to the next. */
    float slack = width * p->grain * sqrtf(dot(query, query, p->dim) / 12);
    for (int64_t block = 0; block < blocks; block++) {
        uint16_t *here = sums + block * BLOCK, largest = 0;
        scan(p, &tables, block, here);
        if (excluded)
            for (int64_t i = 0; i < BLOCK && block * BLOCK + i < p->count; i++)
                if (excluded[block * BLOCK + i]) here[i] = 0;
        if (block == blocks - 1)
            for (int64_t i = p->count - block * BLOCK; i < BLOCK; i++) here[i] = 0;
        for (int i = 0; i < BLOCK; i++) largest = here[i] > largest ? here[i] : largest;
        most[block] = largest;
    }
    /* Blocks' maxima give a threshold that at least `wanted` rows pass, with far fewer values to rank. */
    int first = blocks >= 2 * (int64_t)wanted ? ranked(most, blocks, wanted, bins)
                                              : ranked(sums, p->count, wanted, bins);
    *scored = decide(p, query, excluded, sums, most, first, 65536, slack, &best);
    /* What scores better than the worst kept has, but for `width` deviations, a sum of at least this. */
    float least = best.held < wanted ? -1 : (best.scores[0] - width * tables.error - tables.bias) / tables.step;
    int second = least <= 0 ? 0 : least >= first ? first : (int)least;
    *scored += decide(p, query, excluded, sums, most, second, first, slack, &best);
    for (int size = best.held; size > 1;) {
        swap(&best, 0, --size);
        sink(&best, 0, size);
    }
    return best.held;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static int search_avx2(const Partition *p, const float *query,
                                                           const uint8_t *excluded, int wanted, float width,
                                                           uint16_t *scratch, int64_t *ids, float *scores,
                                                           int64_t *scored) {
    return search(p, query, excluded, wanted, width, scratch, ids, scores, scored, scan_avx2);
}

__attribute__((target("avx512f,avx512bw,fma"))) static int search_avx512(const Partition *p, const float *query,
                                                                         const uint8_t *excluded, int wanted,
                                                                         float width, uint16_t *scratch,
                                                                         int64_t *ids, float *scores,
                                                                         int64_t *scored) {
    return search(p, query, excluded, wanted, width, scratch, ids, scores, scored, scan_avx512);
}
#endif

/* Fill ids and scores [wanted], best first; return how many there are, or -1 where the shape is too large.
 * scratch has room for 65 values a block of 64 rows; scored receives how many rows were scored exactly.
 * lanes: 0 the widest this processor has, 1 plain C, 2 AVX2. */
int edge_retrieve_search(const Partition *p, const float *query, const uint8_t *excluded, int wanted, float width,
                         uint16_t *scratch, int64_t *ids, float *scores, int64_t *scored, int lanes) {
    if (p->dim > MOST_DIM || p->nibbles > MOST_NIBBLES) return -1;
#if defined(__x86_64__)
    if (lanes == 0 && __builtin_cpu_supports("avx512bw"))
        return search_avx512(p, query, excluded, wanted, width, scratch, ids, scores, scored);
    if (lanes != 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return search_avx2(p, query, excluded, wanted, width, scratch, ids, scores, scored);
#elif defined(__aarch64__)
    if (lanes != 1) return search(p, query, excluded, wanted, width, scratch, ids, scores, scored, scan_neon);
#endif
    return search(p, query, excluded, wanted, width, scratch, ids, scores, scored, scan_plain);
}
