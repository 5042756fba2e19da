/* The scan as a module of Python's, runtime/index/_scan: of a search in a small partition, what surrounds the scan
 * takes longer than the scan, and a call through ctypes several times as long as one of a module's functions. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "scan.h"

static const char NAME[] = "edge_retrieve.partition";

/* Scratch of searches that are over, for those to come; as many as ever ran at once. Guarded by the GIL. */
typedef struct Room {
    struct Room *next;
    int64_t bytes;
} Room;

static Room *rooms;

static Room *take_room(int64_t bytes) {
    Room *room = rooms;
    if (room) {
        rooms = room->next;
        if (room->bytes >= bytes) return room;
        free(room);
    }
    room = malloc(sizeof *room + (size_t)bytes);
    if (room) room->bytes = bytes;
    return room;
}

static void give_back(Room *room) {
    room->next = rooms;
    rooms = room;
}

static void forget(PyObject *capsule) { free(PyCapsule_GetPointer(capsule, NAME)); }

/* partition(addresses, count, grain, wider, dim, nibbles, sharing, cells): the arrays stay the caller's, who keeps them alive. */
static PyObject *new_partition(PyObject *module, PyObject *args) {
    unsigned long long at[15];
    Partition *p = malloc(sizeof *p);
    long long count;
    (void)module;
    if (!p) return PyErr_NoMemory();
    if (!PyArg_ParseTuple(args, "(KKKKKKKKKKKKKKK)Lffiiii", &at[0], &at[1], &at[2], &at[3], &at[4], &at[5], &at[6],
                          &at[7], &at[8], &at[9], &at[10], &at[11], &at[12], &at[13], &at[14], &count, &p->grain, &p->wider, &p->dim,
                          &p->nibbles, &p->sharing, &p->cells)) {
        free(p);
        return NULL;
    }
    p->codes = (const uint8_t *)(uintptr_t)at[0];
    p->mean = (const float *)(uintptr_t)at[1];
    p->rotation = (const uint16_t *)(uintptr_t)at[2];
    p->levels = (const float *)(uintptr_t)at[3];
    p->residual = (const float *)(uintptr_t)at[4];
    p->spreads = (const float *)(uintptr_t)at[5];
    p->slots = (const int32_t *)(uintptr_t)at[6];
    p->starts = (const int32_t *)(uintptr_t)at[7];
    p->offsets = (const int32_t *)(uintptr_t)at[8];
    p->centres = (const uint16_t *)(uintptr_t)at[9];
    p->scatter = (const float *)(uintptr_t)at[10];
    p->shares = (const float *)(uintptr_t)at[11];
    p->bytes = (const int8_t *)(uintptr_t)at[12];
    p->rows = (const float *)(uintptr_t)at[13];
    p->studies = (const int64_t *)(uintptr_t)at[14];
    p->count = count;
    if (p->dim < 1 || p->dim > MOST_DIM || p->nibbles > MOST_NIBBLES || p->sharing > 4 || p->cells < 1 || p->cells > MOST_CELLS ||
        count < 1 || count > INT32_MAX) {
        free(p);
        PyErr_SetString(PyExc_ValueError, "the partition is too large for the scan");
        return NULL;
    }
    PyObject *capsule = PyCapsule_New(p, NAME, forget);
    if (!capsule) free(p);
    return capsule;
}

/* One query's answer: (rows or studies as bytes of int64, scores as bytes of float32, how many were scored exactly). */
static PyObject *answer(const int64_t *ids, const float *scores, int64_t found, int64_t scored) {
    return Py_BuildValue("(y#y#L)", (const char *)ids, (Py_ssize_t)(found * 8), (const char *)scores,
                         (Py_ssize_t)(found * 4), (long long)scored);
}

/* search(partition, queries, wanted, width, thorough, excluded, lanes, studies): a list with an answer for each query, of rows
 * or of the studies whose they are. */
static PyObject *search_all(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 8) {
        PyErr_SetString(PyExc_TypeError, "search takes 8 arguments");
        return NULL;
    }
    const Partition *p = PyCapsule_GetPointer(args[0], NAME);
    long wanted = PyLong_AsLong(args[2]), lanes = PyLong_AsLong(args[6]);
    double width = PyFloat_AsDouble(args[3]);
    int thorough = PyObject_IsTrue(args[4]), of_studies = PyObject_IsTrue(args[7]);
    if (!p || PyErr_Occurred()) return NULL;
    Py_buffer queries, mask = {0};
    if (PyObject_GetBuffer(args[1], &queries, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) return NULL;
    PyObject *result = NULL;
    int64_t blocks = p->starts[p->cells], number = queries.len / (4 * (int64_t)p->dim);
    if (!queries.format || strcmp(queries.format, "f") || number * 4 * p->dim != queries.len) {
        PyErr_SetString(PyExc_TypeError, "queries are float32, as long as the partition's rows");
        goto release_queries;
    }
    if (args[5] != Py_None) {
        if (PyObject_GetBuffer(args[5], &mask, PyBUF_SIMPLE)) goto release_queries;
        if (mask.len != blocks * 8) {
            PyErr_SetString(PyExc_ValueError, "excluded rows are a bit each, a word a block");
            goto release_mask;
        }
    }
    if (wanted < 1) wanted = 1;
    if (wanted > p->count) wanted = (long)p->count;
    int64_t scratch = edge_retrieve_scratch(p), each = 12 * (int64_t)wanted + 16;
    Room *room = take_room(scratch + number * each);
    if (!room) {
        PyErr_NoMemory();
        goto release_mask;
    }
    int64_t *ids = (int64_t *)(room + 1), *found = ids + number * wanted, *scored = found + number;
    float *scores = (float *)(scored + number);
    void *rest = (char *)(room + 1) + number * each;
    Py_BEGIN_ALLOW_THREADS;
    edge_retrieve_scan(p, queries.buf, (int)number, mask.buf, (int)wanted, (float)width, thorough, (int)lanes, rest, ids, scores,
                       found, scored);
    for (int64_t i = 0; of_studies && i < number; i++)
        for (int64_t j = 0; j < found[i]; j++) ids[i * wanted + j] = p->studies[ids[i * wanted + j]];
    Py_END_ALLOW_THREADS;
    result = PyList_New(number);
    for (int64_t i = 0; result && i < number; i++) {
        PyObject *one = answer(ids + i * wanted, scores + i * wanted, found[i], scored[i]);
        if (!one) Py_CLEAR(result);
        else PyList_SET_ITEM(result, i, one);
    }
    give_back(room);
release_mask:
    if (mask.obj) PyBuffer_Release(&mask);
release_queries:
    PyBuffer_Release(&queries);
    return result;
}

/* score_all(partition, query, scores, lanes): fills scores in, by the number of a study; returns by how much they may be off. */
static PyObject *score_all(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    (void)module;
    if (given != 4) {
        PyErr_SetString(PyExc_TypeError, "score_all takes 4 arguments");
        return NULL;
    }
    const Partition *p = PyCapsule_GetPointer(args[0], NAME);
    long lanes = PyLong_AsLong(args[3]);
    if (!p || PyErr_Occurred()) return NULL;
    Py_buffer query, scores;
    float error = 0;
    if (PyObject_GetBuffer(args[1], &query, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) return NULL;
    if (PyObject_GetBuffer(args[2], &scores, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE)) {
        PyBuffer_Release(&query);
        return NULL;
    }
    if (!query.format || strcmp(query.format, "f") || query.len != 4 * (int64_t)p->dim || !scores.format ||
        strcmp(scores.format, "f"))
        PyErr_SetString(PyExc_TypeError, "a query is float32, as long as the partition's rows, and scores are float32");
    else {
        Py_BEGIN_ALLOW_THREADS;
        error = edge_retrieve_score_all(p, query.buf, scores.buf, scores.len / 4, (int)lanes);
        Py_END_ALLOW_THREADS;
        if (error < 0) PyErr_SetString(PyExc_ValueError, "a study's number is beyond the scores");
    }
    PyBuffer_Release(&scores);
    PyBuffer_Release(&query);
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(error);
}

static PyMethodDef methods[] = {
    {"partition", new_partition, METH_VARARGS, NULL},
    {"search", (PyCFunction)(void (*)(void))search_all, METH_FASTCALL, NULL},
    {"score_all", (PyCFunction)(void (*)(void))score_all, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_scan", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) { return PyModule_Create(&module); }
