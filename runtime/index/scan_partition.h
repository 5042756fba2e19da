/* What is scanned, and what a query makes of it: one table of 16 bytes a nibble, for the most that a row with a
 * code may score: the score by its code, and `width` standard deviations of what the code leaves of the row. */
#ifndef EDGE_RETRIEVE_SCAN_PARTITION_H
#define EDGE_RETRIEVE_SCAN_PARTITION_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64
#define MOST_DIM 1024
#define MOST_NIBBLES 512 /* 256 pairs of at most 255: sums fit 16 bits */
#define MOST_CELLS 1024
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    const uint8_t *codes;     /* [blocks][nibbles / 2][64]: what rows differ from their cells' centres */
    const float *mean;        /* [dim] */
    const uint16_t *rotation; /* [dim][dim] in bfloat16, a column each direction */
    const float *levels;      /* [sharing][16][nibbles]: what a nibble's code stands for in each of its directions */
    const float *residual;    /* [dim]: variance that the codes leave */
    const float *spreads;     /* [16]: a row's own share of that, as a length; the last nibble says which */
    const int32_t *slots;     /* [sharing][nibbles]: directions in a nibble, `dim` for none */
    const int32_t *starts;    /* [cells + 1]: the block with which a cell begins */
    const int32_t *offsets;   /* [cells + 1]: how many rows come before a cell's: rows, too, lie cell by cell */
    const uint16_t *centres;  /* [dim][cells] in bfloat16: a cell's mean less that of all rows, by direction */
    const float *scatter;     /* [dim]: variance of rows around their cells' centres */
    const float *shares;      /* [cells]: a cell's own share of that, as a length */
    const int8_t *bytes;      /* [count][dim], cell by cell: rows less their cells' centres, in steps of `grain` */
    const float *rows;        /* [count][dim] */
    const int64_t *studies;   /* [count]: whose row it is */
    int64_t count;
    float grain;
    float wider;              /* widths that a cell's rows may score above its centre, over those of codes */
    int32_t dim;
    int32_t nibbles;          /* even */
    int32_t sharing;          /* directions that share a nibble at most: 1, 2 or 4 */
    int32_t cells;
} Partition;

typedef struct {
    uint8_t tables[MOST_NIBBLES][16];
    float turned[MOST_DIM + 1]; /* the query by direction; the last is no direction's, and 0 */
    float bias, step;           /* the most that a row may score is its cell's score and bias + step * sum */
} Tables;

/* What the cells' centres score, and the most that a row of each may. */
typedef struct {
    float centre[MOST_CELLS], most[MOST_CELLS];
} Reach;

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

INLINE float from_bfloat16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Loops run over directions and nibbles, never along a sum: so they become vectors without reordering one. */
INLINE void make_tables(const Partition *p, const float *query, float width, Tables *t) {
    float exact[16][MOST_NIBBLES], least[MOST_NIBBLES], most[MOST_NIBBLES], *turned = t->turned;
    int dim = p->dim, nibbles = p->nibbles;
    float variance = 0, widest = 0;
    memset(turned, 0, ((size_t)dim + 1) * sizeof *turned);
    for (int i = 0; i < dim; i++)
        for (int d = 0; d < dim; d++)
            turned[d] += query[i] * from_bfloat16(p->rotation[(int64_t)i * dim + d]);
    for (int d = 0; d < dim; d++) variance += turned[d] * turned[d] * p->residual[d];
    for (int slot = 0; slot < p->sharing; slot++) {
        float asked[MOST_NIBBLES];
        for (int n = 0; n < nibbles; n++) asked[n] = turned[p->slots[slot * nibbles + n]];
        for (int code = 0; code < 16; code++) {
            const float *levels = p->levels + (slot * 16 + code) * nibbles;
            float *sums = exact[code];
            if (slot)
                for (int n = 0; n < nibbles; n++) sums[n] += asked[n] * levels[n];
            else
                for (int n = 0; n < nibbles; n++) sums[n] = asked[n] * levels[n];
        }
    }
    memcpy(least, exact[0], nibbles * sizeof *least);
    memcpy(most, exact[0], nibbles * sizeof *most);
    for (int code = 1; code < 16; code++)
        for (int n = 0; n < nibbles; n++) {
            float value = exact[code][n];
            least[n] = value < least[n] ? value : least[n];
            most[n] = value > most[n] ? value : most[n];
        }
    for (int n = 0; n + 2 < nibbles; n += 2)
        widest = fmaxf(widest, most[n] - least[n] + most[n + 1] - least[n + 1]);
    /* Two bytes are added before they are widened: together they may reach 255, with half a step of rounding each.
     * Rounding to steps is one more error, independent of the codes'. */
    float own = most[nibbles - 2] - least[nibbles - 2], rounding = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int code = 0; code < 16; code++)
            exact[code][nibbles - 1] =
                width * sqrtf(variance * p->spreads[code] * p->spreads[code] + rounding);
        least[nibbles - 1] = exact[0][nibbles - 1], most[nibbles - 1] = exact[15][nibbles - 1];
        widest = fmaxf(widest, own + most[nibbles - 1] - least[nibbles - 1]);
        rounding = (float)nibbles * widest * widest / (12 * 254 * 254);
    }
    t->step = widest > 0 ? widest / 254 : 1;
    t->bias = 0;
    for (int n = 0; n < nibbles; n++) t->bias += least[n];
    float steps = 1 / t->step;
    for (int n = 0; n < nibbles; n++) {
        float column[16];
        for (int code = 0; code < 16; code++) column[code] = exact[code][n];
        for (int code = 0; code < 16; code++)
            t->tables[n][code] = (uint8_t)(int32_t)((column[code] - least[n]) * steps + 0.5f);
    }
}

/* Rows score what their cell's centre does, and up to some widths of what rows scatter around it. */
INLINE void reach(const Partition *p, const float *query, const Tables *t, float width, Reach *r) {
    float along = 0, constant = dot(p->mean, query, p->dim);
    for (int d = 0; d < p->dim; d++) along += t->turned[d] * t->turned[d] * p->scatter[d];
    along = width * p->wider * sqrtf(along);
    for (int c = 0; c < p->cells; c++) r->centre[c] = constant;
    for (int d = 0; d < p->dim; d++)
        for (int c = 0; c < p->cells; c++)
            r->centre[c] += t->turned[d] * from_bfloat16(p->centres[(int64_t)d * p->cells + c]);
    for (int c = 0; c < p->cells; c++) r->most[c] = r->centre[c] + along * p->shares[c];
}

#endif
