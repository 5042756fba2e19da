/* What scan.c offers; scan_module.c makes a module of Python's of it. */
#ifndef EDGE_RETRIEVE_SCAN_H
#define EDGE_RETRIEVE_SCAN_H

#include "scan_partition.h"

/* Bytes of scratch that a search works on. */
int64_t edge_retrieve_scratch(const Partition *p);

/* Answer `number` queries: fill ids and scores [number][wanted], best first, found [number] with how many there
 * are, and scored [number] with how many rows were scored exactly. `excluded` has a bit a row, a word a block.
 * thorough: look into every cell. lanes: 0 the best this processor has, 1 plain C, 2 AVX2, 3 AVX-512 without VBMI;
 * what it lacks falls back. */
void edge_retrieve_scan(const Partition *p, const float *queries, int number, const uint64_t *excluded, int wanted,
                        float width, int thorough, int lanes, void *scratch, int64_t *ids, float *scores, int64_t *found,
                        int64_t *scored);

/* Score every row by its bytes: of each study the best of its rows is left in scores [size], by the study's number.
 * A value that is not a number gives way to any score. Returns by how much a score may be off, below zero where a
 * study's number is beyond the scores. */
float edge_retrieve_score_all(const Partition *p, const float *query, float *scores, int64_t size, int lanes);

#endif
