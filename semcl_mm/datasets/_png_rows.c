/* Undoes the row filters of PNG (ISO/IEC 15948, clause 9), fast on label maps.

   A filter predicts each byte from its neighbours a (one pixel to the left), b (above) and c (above
   a); what is stored is the error. A label map is made of flat pieces, so most errors are zero, and
   eight zeros at a time need no arithmetic:

   - Sub predicts a: zeros repeat the pixel before them.
   - Paeth predicts whichever of a, b, c is nearest to a + b - c. Where a = c that is b, and the
     byte that results equals the one above it, so a = c holds for the next pixel too: all zeros
     that follow copy the row above.

   Compiled where there is a compiler (see setup.py); label_png.py can do without it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NONE, SUB, UP, AVERAGE, PAETH };

static inline int eight_zeros(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word == 0;
}

static inline size_t end_of_zeros(const uint8_t *bytes, size_t from, size_t size) {
    while (from + 8 <= size && eight_zeros(bytes + from)) from += 8;
    return from;
}

/* Fills out[from:to] with the pixel that ends at from, in pieces that double. */
static inline void repeat_pixel(uint8_t *out, size_t from, size_t to, size_t pixel) {
    for (size_t done = pixel; from < to;) {
        size_t piece = done < to - from ? done : to - from;
        memcpy(out + from, out + from - done, piece);
        from += piece;
        done += piece;
    }
}

static inline uint8_t nearest(int a, int b, int c) {
    int to_a = abs(b - c), to_b = abs(a - c), to_c = abs(a + b - 2 * c);
    return to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
}

/* One row of size bytes; its first pixel has zeros to its left. Returns -1 for an unknown filter. */
static inline int restore_row(int filter, const uint8_t *error, const uint8_t *above, uint8_t *out,
                              size_t size, size_t pixel) {
    size_t i = 0;
    if (pixel > size) return -1;
    switch (filter) {
    case NONE:
        memcpy(out, error, size);
        return 0;
    case SUB:
        memcpy(out, error, pixel);
        for (i = pixel; i < size;) {
            size_t end = end_of_zeros(error, i, size);
            if (end > i) {
                repeat_pixel(out, i, end, pixel);
                i = end;
            } else {
                out[i] = error[i] + out[i - pixel];
                i++;
            }
        }
        return 0;
    case UP:
        for (; i < size; i++) out[i] = error[i] + above[i];
        return 0;
    case AVERAGE:
        for (; i < pixel; i++) out[i] = error[i] + above[i] / 2;
        for (; i < size; i++) out[i] = error[i] + (out[i - pixel] + above[i]) / 2;
        return 0;
    case PAETH:
        for (; i < pixel; i++) out[i] = error[i] + above[i];
        while (i < size) {
            size_t end = memcmp(out + i - pixel, above + i - pixel, pixel)
                             ? i : end_of_zeros(error, i, size);
            if (end > i) {
                memcpy(out + i, above + i, end - i);
                i = end;
            } else {
                out[i] = error[i] + nearest(out[i - pixel], above[i], above[i - pixel]);
                i++;
            }
        }
        return 0;
    }
    return -1;
}

/* rows: height rows of a filter byte and size bytes. out: one row of zeros, then height rows. */
static int restore(const uint8_t *rows, uint8_t *out, size_t height, size_t size, size_t pixel) {
    for (size_t y = 0; y < height; y++, rows += size + 1, out += size) {
        int failed;
        /* A constant pixel size lets the compiler unroll the inner loops. */
        switch (pixel) {
        case 1: failed = restore_row(*rows, rows + 1, out, out + size, size, 1); break;
        case 2: failed = restore_row(*rows, rows + 1, out, out + size, size, 2); break;
        case 3: failed = restore_row(*rows, rows + 1, out, out + size, size, 3); break;
        default: failed = restore_row(*rows, rows + 1, out, out + size, size, 4); break;
        }
        if (failed) return -1;
    }
    return 0;
}

static PyObject *restore_rows(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer rows, out;
    Py_ssize_t height, size, pixel;
    int failed = -1;
    if (!PyArg_ParseTuple(args, "y*w*nnn", &rows, &out, &height, &size, &pixel)) return NULL;
    if (height > 0 && pixel > 0 && pixel <= 4 && size >= pixel &&
        size <= PY_SSIZE_T_MAX / 2 / (height + 1) && rows.len == height * (size + 1) &&
        out.len == (height + 1) * size) {
        Py_BEGIN_ALLOW_THREADS
        memset(out.buf, 0, size);
        failed = restore(rows.buf, out.buf, height, size, pixel);
        Py_END_ALLOW_THREADS
        if (failed) PyErr_SetString(PyExc_ValueError, "a row has an unknown filter");
    } else {
        PyErr_SetString(PyExc_ValueError, "sizes that do not fit each other");
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&out);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"restore_rows", restore_rows, METH_VARARGS,
     "restore_rows(rows, out, height, size, pixel)\n\n"
     "Undo the filters of `height` rows, each a filter byte and `size` bytes; `pixel` (1..4) bytes\n"
     "make a pixel. `out` gets a row of zeros, then the rows. ValueError for an unknown filter."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_png_rows", .m_methods = methods};

PyMODINIT_FUNC PyInit__png_rows(void) { return PyModule_Create(&definition); }
