/* A tiny vendor under frbench's command contract (docs/vendor-command.md), in plain C.
 *
 *   cc -O2 -o vendor vendor.c -lm
 *   ./vendor info OUT | create IMAGES FOLDER | match PAIRS OUT
 *
 * It reads binary PPM and PGM pictures (P6, P5; 8 bits). A template is the brightness of 8 x 8
 * places on the picture, their mean taken away; a score is the cosine of two of them. That tells
 * pictures apart, not people: it shows the contract, and nothing else.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 8
#define CELLS (SIDE * SIDE)
#define LINE 8192
#define MAGIC 0x31424346u /* "FCB1": bytes of another program are refused */

typedef struct {
    uint32_t magic;
    int32_t value[CELLS];
} Template;

/* A whole number of a PPM header, comments left out; -1 where there is none. */
static long header_number(FILE *file) {
    int sign = fgetc(file);
    while (sign == '#' || sign == ' ' || sign == '\n' || sign == '\r' || sign == '\t') {
        if (sign == '#')
            while (sign != '\n' && sign != EOF) sign = fgetc(file);
        sign = fgetc(file);
    }
    long number = -1;
    for (; sign >= '0' && sign <= '9'; sign = fgetc(file)) {
        number = (number < 0 ? 0 : number) * 10 + (sign - '0');
        if (number > 100000) return -1;
    }
    return number; /* the one white space after the number is read too, as the format has it */
}

/* The reason why there is no template, or NULL and the template. */
static const char *enrol(const char *path, Template *made) {
    FILE *file = fopen(path, "rb");
    if (!file) return "the file cannot be opened";
    int kind = fgetc(file) == 'P' ? fgetc(file) : 0;
    int channels = kind == '6' ? 3 : kind == '5' ? 1 : 0;
    long width = channels ? header_number(file) : -1, height = header_number(file);
    if (width < SIDE || height < SIDE || header_number(file) != 255) {
        fclose(file);
        return "no binary PPM or PGM of 8 bits and at least 8 x 8 pixels";
    }
    int64_t sum[CELLS] = {0}, count[CELLS] = {0}, total = 0;
    for (long y = 0; y < height; y++)
        for (long x = 0; x < width; x++) {
            int64_t bright = 0;
            for (int c = 0; c < channels; c++) {
                int byte = fgetc(file);
                if (byte == EOF) {
                    fclose(file);
                    return "the picture is cut short";
                }
                bright += byte;
            }
            long cell = (y * SIDE / height) * SIDE + x * SIDE / width;
            sum[cell] += bright * 3 / channels;
            count[cell]++;
        }
    fclose(file);
    made->magic = MAGIC;
    for (int cell = 0; cell < CELLS; cell++) {
        made->value[cell] = (int32_t)(sum[cell] * 64 / count[cell]);
        total += made->value[cell];
    }
    int flat = 1;
    for (int cell = 0; cell < CELLS; cell++) {
        made->value[cell] = made->value[cell] * CELLS - (int32_t)total;
        flat &= made->value[cell] == 0;
    }
    return flat ? "the picture is of one colour" : NULL;
}

/* Cuts a line at its tabs; how many pieces there are. */
static int cut(char *line, char **piece, int most) {
    line[strcspn(line, "\r\n")] = 0;
    int count = 0;
    for (char *at = line; at && count < most; count++) {
        piece[count] = at;
        at = strchr(at, '\t');
        if (at) *at++ = 0;
    }
    return count;
}

static int create(const char *images, const char *folder) {
    char line[LINE], place[LINE + 64], *piece[2];
    snprintf(place, sizeof place, "%.8000s/status.tsv", folder);
    FILE *in = fopen(images, "r"), *status = fopen(place, "w");
    if (!in || !status) return 1;
    while (fgets(line, sizeof line, in)) {
        if (cut(line, piece, 2) != 2) return 1;
        Template made;
        const char *reason = enrol(piece[1], &made);
        if (!reason) {
            snprintf(place, sizeof place, "%.8000s/%.40s.template", folder, piece[0]);
            FILE *out = fopen(place, "wb");
            if (!out || fwrite(&made, sizeof made, 1, out) != 1 || fclose(out)) return 1;
        }
        fprintf(status, "%s\t%d\t%s\n", piece[0], reason ? 1 : 0, reason ? reason : "");
    }
    return fclose(status) ? 1 : 0;
}

static int load(const char *path, Template *into) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t read = fread(into, sizeof *into, 1, file);
    fclose(file);
    return read == 1 && into->magic == MAGIC;
}

static double dot(const Template *a, const Template *b) {
    int64_t sum = 0; /* whole numbers: the same score in either order, on every machine */
    for (int cell = 0; cell < CELLS; cell++) sum += (int64_t)a->value[cell] * b->value[cell];
    return (double)sum;
}

static int match(const char *pairs, const char *out_path) {
    char line[LINE], *piece[3];
    FILE *in = fopen(pairs, "r"), *out = fopen(out_path, "w");
    if (!in || !out) return 1;
    while (fgets(line, sizeof line, in)) {
        if (cut(line, piece, 3) != 3) return 1;
        Template probe, reference;
        if (!load(piece[1], &probe) || !load(piece[2], &reference)) {
            fprintf(out, "%s\t1\n", piece[0]);
            continue;
        }
        double score = dot(&probe, &reference) / sqrt(dot(&probe, &probe) * dot(&reference, &reference));
        fprintf(out, "%s\t0\t%.17g\n", piece[0], score);
    }
    return fclose(out) ? 1 : 0;
}

static int info(const char *path) {
    FILE *out = fopen(path, "w");
    if (!out) return 1;
    fputs("{\"name\": \"example-c\", \"version\": \"1\", "
          "\"thresholds\": [{\"fmr\": 0.01, \"score\": 0.95}]}\n", out);
    return fclose(out) ? 1 : 0;
}

int main(int count, char **word) {
    if (count == 3 && !strcmp(word[1], "info")) return info(word[2]);
    if (count == 4 && !strcmp(word[1], "create")) return create(word[2], word[3]);
    if (count == 4 && !strcmp(word[1], "match")) return match(word[2], word[3]);
    fputs("usage: vendor info OUT | create IMAGES FOLDER | match PAIRS OUT\n", stderr);
    return 2;
}
