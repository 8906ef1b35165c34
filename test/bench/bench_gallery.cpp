/* Compares template_set_search() with a plain loop and with FAISS's flat index, one thread each; JSON for run.py.
 *
 *   bench_gallery TEMPLATES PROBES FOLDER
 *
 * People are random points in 128 dimensions, three templates each; half of the probes are further embeddings of
 * them, half are of other people. Distances are those of face embeddings: about 0.4 between two of a person, 0.8
 * between people.
 * `flat`: all dimensions have the same variance, the worst case for pruning; `faces`: the variance falls as that of
 * real embeddings. The results of all three are compared; every difference is an error.
 */
extern "C" {
#include "core/match/template_set.h"
#include "plugins/recognizer.h"
}

#include <faiss/IndexFlat.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace
{
constexpr int DIMENSION = 128, TOP = 5, VIEWS = 3, BATCH = 64;

double now_ms()
{
    timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

double resident_mb() // without pages of files, which the kernel can drop at any time
{
    std::ifstream status("/proc/self/status");
    std::string line;

    while (std::getline(status, line))
        if (line.compare(0, 8, "RssAnon:") == 0)
            return std::atof(line.c_str() + 8) / 1024;
    return 0;
}

class world
{
  public:
    explicit world(bool flat)
    {
        double sum = 0;

        for (int d = 0; d < DIMENSION; d++) {
            spread[d] = flat ? 1 : 1 / std::sqrt(1 + d * 0.25);
            sum += spread[d] * spread[d];
        }
        for (double &s : spread)
            s /= std::sqrt(sum);
    }
    void person(float *to)
    {
        for (int d = 0; d < DIMENSION; d++)
            to[d] = static_cast<float>(spread[d] * 0.57 * normal(random));
    }
    void view(const float *person, float *to)
    {
        for (int d = 0; d < DIMENSION; d++)
            to[d] = person[d] + static_cast<float>(spread[d] * 0.28 * normal(random));
    }

  private:
    double spread[DIMENSION];
    std::mt19937_64 random{7};
    std::normal_distribution<double> normal;
};

struct samples {
    std::vector<float> templates, probes;
};

samples make(bool flat, size_t count, size_t probes)
{
    world w(flat);
    samples s{std::vector<float>(count * DIMENSION), std::vector<float>(probes * DIMENSION)};
    std::vector<float> people((count / VIEWS + 1) * DIMENSION);
    float unknown_person[DIMENSION];

    for (size_t i = 0; i * DIMENSION < people.size(); i++)
        w.person(&people[i * DIMENSION]);
    for (size_t i = 0; i < count; i++)
        w.view(&people[i / VIEWS * DIMENSION], &s.templates[i * DIMENSION]);
    for (size_t i = 0; i < probes; i++) {
        w.person(unknown_person);
        w.view(i % 2 ? unknown_person : &people[i * 7919 % (count / VIEWS) * DIMENSION], &s.probes[i * DIMENSION]);
    }
    return s;
}

using answers = std::vector<std::vector<size_t>>;

double median(std::vector<double> v)
{
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}

// Every template is a person of its own, so that all three give the same result.
answers search_ours(struct template_set *s, const samples &x, size_t batch, double *ms)
{
    const size_t probes = x.probes.size() / DIMENSION;
    answers out;
    std::vector<double> took;

    for (size_t at = 0; at < probes; at += batch) {
        const int n = static_cast<int>(std::min(batch, probes - at));
        hit hits[BATCH][TOP], *lists[BATCH];
        const float *from[BATCH];
        int found[BATCH];

        for (int i = 0; i < n; i++) {
            lists[i] = hits[i];
            from[i] = &x.probes[(at + static_cast<size_t>(i)) * DIMENSION];
        }
        const double begun = now_ms();
        template_set_search(s, KITH_METRIC_L2, from, n, lists, found, TOP);
        took.push_back((now_ms() - begun) / n);
        for (int i = 0; i < n; i++) {
            out.emplace_back();
            for (int k = 0; k < found[i]; k++)
                out.back().push_back(static_cast<size_t>(hits[i][k].person - 1));
        }
    }
    *ms = median(took);
    return out;
}

answers search_faiss(const faiss::IndexFlatL2 &index, const samples &x, size_t batch, double *ms)
{
    const size_t probes = x.probes.size() / DIMENSION;
    std::vector<float> distances(batch * TOP);
    std::vector<faiss::Index::idx_t> labels(batch * TOP);
    std::vector<double> took;
    answers out;

    for (size_t at = 0; at < probes; at += batch) {
        const size_t n = std::min(batch, probes - at);
        const double begun = now_ms();

        index.search(static_cast<faiss::Index::idx_t>(n), &x.probes[at * DIMENSION], TOP, distances.data(),
                     labels.data());
        took.push_back((now_ms() - begun) / static_cast<double>(n));
        for (size_t i = 0; i < n; i++)
            out.emplace_back(labels.begin() + static_cast<long>(i * TOP),
                             labels.begin() + static_cast<long>((i + 1) * TOP));
    }
    *ms = median(took);
    return out;
}

// The plain loop, vectorised by the compiler for this CPU.
__attribute__((target_clones("avx2", "default"), optimize("O3", "fast-math"))) float square(const float *a,
                                                                                            const float *b)
{
    float sum = 0;

    for (int d = 0; d < DIMENSION; d++)
        sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

answers search_plain(const samples &x, double *ms)
{
    const size_t probes = x.probes.size() / DIMENSION, count = x.templates.size() / DIMENSION;
    std::vector<double> took;
    answers out;

    for (size_t p = 0; p < probes; p++) {
        std::vector<std::pair<float, size_t>> best;
        const double begun = now_ms();

        for (size_t i = 0; i < count; i++) {
            const float d = square(&x.templates[i * DIMENSION], &x.probes[p * DIMENSION]);

            if (best.size() < TOP || d < best.front().first) {
                if (best.size() == TOP) {
                    std::pop_heap(best.begin(), best.end());
                    best.pop_back();
                }
                best.emplace_back(d, i);
                std::push_heap(best.begin(), best.end());
            }
        }
        std::sort_heap(best.begin(), best.end());
        took.push_back(now_ms() - begun);
        out.emplace_back();
        for (const auto &b : best)
            out.back().push_back(b.second);
    }
    *ms = median(took);
    return out;
}

int differences(const answers &a, const answers &b)
{
    int n = 0;

    for (size_t i = 0; i < a.size() && i < b.size(); i++)
        n += a[i] != b[i];
    return n;
}

void run(bool flat, size_t count, size_t probes, const char *folder, const char *after)
{
    const samples x = make(flat, count, probes);
    double before = resident_mb(), load, one, many, brute, faiss_one, faiss_many;
    const double begun = now_ms();
    struct template_set *s = template_set_new("bench", DIMENSION, folder, static_cast<size_t>(64) << 20);

    for (size_t i = 0; i < count; i++)
        template_set_add(s, static_cast<int64_t>(i) + 1, static_cast<int64_t>(i) + 1, &x.templates[i * DIMENSION]);
    search_ours(s, {{}, {x.probes.begin(), x.probes.begin() + DIMENSION}}, 1, &one); // makes the quantizer
    load = now_ms() - begun;
    const double memory = resident_mb() - before;
    const answers ours = search_ours(s, x, 1, &one), batched = search_ours(s, x, BATCH, &many);
    const answers plain = search_plain(x, &brute);

    template_set_free(s);
    faiss::IndexFlatL2 index(DIMENSION);
    index.add(static_cast<faiss::Index::idx_t>(count), x.templates.data());
    const answers theirs = search_faiss(index, x, 1, &faiss_one);

    search_faiss(index, x, BATCH, &faiss_many);
    std::printf("\"%s\":{\"one_ms\":%.4f,\"batched_ms\":%.4f,\"plain_ms\":%.4f,\"faiss_one_ms\":%.4f,"
                "\"faiss_batched_ms\":%.4f,\"load_s\":%.2f,\"memory_mb\":%.1f,\"differences\":%d,"
                "\"faiss_differences\":%d}%s",
                flat ? "flat" : "faces", one, many, brute, faiss_one, faiss_many, load / 1e3, memory,
                differences(ours, plain) + differences(batched, plain), differences(theirs, plain), after);
}
} // namespace

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    omp_set_num_threads(1);
    std::printf("{");
    run(true, std::strtoul(argv[1], nullptr, 10), std::strtoul(argv[2], nullptr, 10), argv[3], ",");
    run(false, std::strtoul(argv[1], nullptr, 10), std::strtoul(argv[2], nullptr, 10), argv[3], "");
    std::printf("}\n");
    return 0;
}
