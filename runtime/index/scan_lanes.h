/* The two inner loops of a scan, for each width of a processor's lanes: the sums of a run of blocks, and which
 * of a block's 64 sums reach a value. Plain C does the same, slowly. */
#ifndef EDGE_RETRIEVE_SCAN_LANES_H
#define EDGE_RETRIEVE_SCAN_LANES_H

#include "scan_partition.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define AHEAD_BYTES 4096 /* codes fetched ahead: a processor's own prefetching ends where a page does */

typedef void (*Sum)(const Partition *, const Tables *, const uint8_t *codes, int64_t blocks, uint16_t *sums);
typedef uint64_t (*Above)(const uint16_t *, uint16_t);

static void sum_plain(const Partition *p, const Tables *t, const uint8_t *codes, int64_t blocks,
                      uint16_t *sums) {
    memset(sums, 0, (size_t)blocks * BLOCK * sizeof *sums);
    for (int64_t block = 0; block < blocks; block++, sums += BLOCK)
        for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK)
            for (int i = 0; i < BLOCK; i++)
                sums[(i & 1) * 32 + i / 2] +=
                    (uint16_t)(t->tables[2 * pair][codes[i] & 15] + t->tables[2 * pair + 1][codes[i] >> 4]);
}

static uint64_t above_plain(const uint16_t *sums, uint16_t value) {
    uint64_t mask = 0;
    for (int i = 0; i < BLOCK; i++) mask |= (uint64_t)(sums[i] >= value) << i;
    return mask;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sum_avx2(const Partition *p, const Tables *t,
                                                     const uint8_t *from, int64_t blocks, uint16_t *sums) {
    const __m256i low = _mm256_set1_epi8(15);
    const int64_t size = (int64_t)(BLOCK / 2) * p->nibbles;
    for (int64_t part = 0; part < 2 * blocks; part++) {
        const uint8_t *codes = from + part / 2 * size + 32 * (part % 2);
        uint16_t *to = sums + part / 2 * BLOCK + 16 * (part % 2);
        __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
        for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK) {
            __m256i code = _mm256_loadu_si256((const __m256i *)codes);
            __m256i first =
                _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->tables[2 * pair]));
            __m256i second =
                _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->tables[2 * pair + 1]));
            _mm_prefetch((const char *)codes + AHEAD_BYTES, _MM_HINT_T0);
            __m256i sum = _mm256_add_epi8(
                _mm256_shuffle_epi8(first, _mm256_and_si256(code, low)),
                _mm256_shuffle_epi8(second, _mm256_and_si256(_mm256_srli_epi16(code, 4), low)));
            all = _mm256_add_epi16(all, sum);
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(sum, 8));
        }
        _mm256_storeu_si256((__m256i *)to, _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8)));
        _mm256_storeu_si256((__m256i *)(to + 32), odd);
    }
}

__attribute__((target("avx2"))) static uint64_t above_avx2(const uint16_t *sums, uint16_t value) {
    const __m256i least = _mm256_set1_epi16((short)value);
    uint64_t mask = 0;
    for (int part = 0; part < 2; part++) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(sums + 32 * part));
        __m256i b = _mm256_loadu_si256((const __m256i *)(sums + 32 * part + 16));
        a = _mm256_cmpeq_epi16(_mm256_max_epu16(a, least), a);
        b = _mm256_cmpeq_epi16(_mm256_max_epu16(b, least), b);
        /* Packing goes by halves of 128 bits: brought back into order. */
        __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xD8);
        mask |= (uint64_t)(uint32_t)_mm256_movemask_epi8(both) << (32 * part);
    }
    return mask;
}

/* Looking a byte's two halves up in tables of 16 bytes, four copies of each in 64: a shuffle within 16 bytes needs them
 * masked; one over all 64 bytes (VBMI) reads six bits, and the copies make two of them indifferent. */
#define SHUFFLED(first, second, code)                                                                        \
    _mm512_add_epi8(_mm512_shuffle_epi8(first, _mm512_and_si512(code, _mm512_set1_epi8(15))),                \
                    _mm512_shuffle_epi8(                                                                     \
                        second, _mm512_and_si512(_mm512_srli_epi16(code, 4), _mm512_set1_epi8(15))))
#define PERMUTED(first, second, code)                                                                        \
    _mm512_add_epi8(_mm512_permutexvar_epi8(code, first),                                                    \
                    _mm512_permutexvar_epi8(_mm512_srli_epi16(code, 4), second))

/* Two blocks at once share the tables' loads. */
#define SUM_512(name, features, LOOKED_UP)                                                                   \
    __attribute__((target(features))) static void name(const Partition *p, const Tables *t,                  \
                                                       const uint8_t *codes, int64_t blocks, uint16_t *sums) { \
        const int64_t size = (int64_t)(BLOCK / 2) * p->nibbles;                                              \
        for (int64_t block = 0; block < blocks; block += 2, sums += 2 * BLOCK) {                             \
            const uint8_t *here = codes + block * size;                                                      \
            const uint8_t *next = block + 1 < blocks ? here + size : here;                                   \
            __m512i all = _mm512_setzero_si512(), odd = all, all_next = all, odd_next = all;                 \
            for (int pair = 0; pair < p->nibbles / 2; pair++, here += BLOCK, next += BLOCK) {                \
                const uint8_t *tables = t->tables[2 * pair];                                                 \
                __m512i first = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)tables));            \
                __m512i second = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + 16)));    \
                __m512i code = _mm512_loadu_si512(here);                                                     \
                _mm_prefetch((const char *)here + AHEAD_BYTES, _MM_HINT_T0);                                 \
                __m512i sum = LOOKED_UP(first, second, code);                                                \
                all = _mm512_add_epi16(all, sum);                                                            \
                odd = _mm512_add_epi16(odd, _mm512_srli_epi16(sum, 8));                                      \
                code = _mm512_loadu_si512(next);                                                             \
                _mm_prefetch((const char *)next + AHEAD_BYTES, _MM_HINT_T0);                                 \
                sum = LOOKED_UP(first, second, code);                                                        \
                all_next = _mm512_add_epi16(all_next, sum);                                                  \
                odd_next = _mm512_add_epi16(odd_next, _mm512_srli_epi16(sum, 8));                            \
            }                                                                                                \
            _mm512_storeu_si512(sums, _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8)));                     \
            _mm512_storeu_si512(sums + 32, odd);                                                             \
            if (block + 1 == blocks) break;                                                                  \
            _mm512_storeu_si512(sums + 64, _mm512_sub_epi16(all_next, _mm512_slli_epi16(odd_next, 8)));      \
            _mm512_storeu_si512(sums + 96, odd_next);                                                        \
        }                                                                                                    \
    }
SUM_512(sum_avx512, "avx512f,avx512bw", SHUFFLED)
SUM_512(sum_vbmi, "avx512f,avx512bw,avx512vbmi", PERMUTED)

__attribute__((target("avx512f,avx512bw"))) static uint64_t above_avx512(const uint16_t *sums,
                                                                         uint16_t value) {
    const __m512i least = _mm512_set1_epi16((short)value);
    return (uint64_t)_mm512_cmpge_epu16_mask(_mm512_loadu_si512(sums), least) |
           (uint64_t)_mm512_cmpge_epu16_mask(_mm512_loadu_si512(sums + 32), least) << 32;
}
#elif defined(__aarch64__)
static void sum_neon(const Partition *p, const Tables *t, const uint8_t *codes, int64_t blocks,
                     uint16_t *sums) {
    const uint8x16_t low = vdupq_n_u8(15);
    for (int64_t block = 0; block < blocks; block++, sums += BLOCK) {
        uint16x8_t all[4], odd[4];
        for (int part = 0; part < 4; part++) all[part] = odd[part] = vdupq_n_u16(0);
        for (int pair = 0; pair < p->nibbles / 2; pair++, codes += BLOCK) {
            uint8x16_t first = vld1q_u8(t->tables[2 * pair]), second = vld1q_u8(t->tables[2 * pair + 1]);
            __builtin_prefetch(codes + AHEAD_BYTES);
            for (int part = 0; part < 4; part++) {
                uint8x16_t code = vld1q_u8(codes + 16 * part);
                uint16x8_t sum =
                    vreinterpretq_u16_u8(vaddq_u8(vqtbl1q_u8(first, vandq_u8(code, low)),
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
}

static uint64_t above_neon(const uint16_t *sums, uint16_t value) {
    static const uint16_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t least = vdupq_n_u16(value), bits = vld1q_u16(places);
    uint64_t mask = 0;
    for (int part = 0; part < 8; part++)
        mask |= (uint64_t)vaddvq_u16(vandq_u16(vcgeq_u16(vld1q_u16(sums + 8 * part), least), bits))
                << (8 * part);
    return mask;
}
#endif

#endif
