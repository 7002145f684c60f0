// A console for one compiled Stan model, over stan::services, that takes CmdStan's arguments and
// writes CmdStan's CSV as far as cmdstanpy and mix2stan use them:
// method=sample|optimize|log_prob|laplace|pathfinder|variational, and `info`.  For the project's own tests only.
#include <stan/callbacks/interrupt.hpp>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/callbacks/stream_writer.hpp>
#include <stan/callbacks/writer.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/model/log_prob_grad.hpp>
#include <stan/model/model_base.hpp>
#include <stan/services/experimental/advi/fullrank.hpp>
#include <stan/services/experimental/advi/meanfield.hpp>
#include <stan/services/optimize/laplace_sample.hpp>
#include <stan/services/optimize/lbfgs.hpp>
#include <stan/services/pathfinder/single.hpp>
#include <stan/services/sample/hmc_nuts_diag_e.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <stan/version.hpp>

#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

stan::model::model_base& new_model(stan::io::var_context& data, unsigned int seed,
                                   std::ostream* messages);

namespace {

using Context = std::shared_ptr<stan::io::var_context>;

// Arguments by "section.key" where a key occurs in several sections, else by key.
class Arguments {
 public:
  Arguments(int argc, char** argv) {
    const std::set<std::string> methods{"sample",  "optimize",   "log_prob",
                                        "laplace", "pathfinder", "variational"};
    std::string section;
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      const auto equals = word.find('=');
      if (equals == std::string::npos) {
        section = word;
        if (methods.count(word)) values_["method"] = word;
      } else {
        const std::string key = word.substr(0, equals);
        const std::string value = word.substr(equals + 1);
        values_[key == "file" ? section + ".file" : key] = value;
        if (key == "method") section = value;
      }
    }
  }
  std::string text(const std::string& key, const std::string& missing = "") const {
    const auto found = values_.find(key);
    return found == values_.end() ? missing : found->second;
  }
  double number(const std::string& key, double missing) const {
    const auto found = values_.find(key);
    return found == values_.end() ? missing : std::stod(found->second);
  }
  int whole(const std::string& key, int missing) const {
    return static_cast<int>(number(key, missing));
  }

 private:
  std::map<std::string, std::string> values_;
};

Context read_json(const std::string& path) {
  if (path.empty()) return std::make_shared<stan::io::empty_var_context>();
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  return std::make_shared<stan::json::json_data>(in);
}

// Stan's stream writer, and tables of a column per draw, which it does not write.
class TableWriter : public stan::callbacks::stream_writer {
 public:
  using stan::callbacks::stream_writer::operator();
  explicit TableWriter(std::ostream& out) : stan::callbacks::stream_writer(out, "# "), out_(out) {}
  void operator()(const Eigen::Ref<Eigen::Matrix<double, -1, -1>>& draws) override {
    for (Eigen::Index i = 0; i < draws.cols(); ++i)
      for (Eigen::Index k = 0; k < draws.rows(); ++k)
        out_ << draws(k, i) << (k + 1 < draws.rows() ? "," : "\n");
  }

 private:
  std::ostream& out_;
};

void header(std::ostream& out, const Arguments& args, const std::string& method, int id) {
  out << "# stan_version_major = " << stan::MAJOR_VERSION << "\n"
      << "# stan_version_minor = " << stan::MINOR_VERSION << "\n"
      << "# stan_version_patch = " << stan::PATCH_VERSION << "\n"
      << "# model = model\n# method = " << method << "\n";
  if (method == "sample") {
    out << "#   sample\n#     num_samples = " << args.whole("num_samples", 1000)
        << "\n#     num_warmup = " << args.whole("num_warmup", 1000)
        << "\n#     save_warmup = " << args.text("save_warmup", "0")
        << "\n#     thin = " << args.whole("thin", 1)
        << "\n#     adapt\n#       engaged = " << args.whole("engaged", 1)
        << "\n#       delta = " << args.number("delta", 0.8)
        << "\n#     algorithm = hmc\n#       hmc\n#         engine = nuts\n#           nuts"
        << "\n#             max_depth = " << args.whole("max_depth", 10)
        << "\n#         metric = diag_e\n#         stepsize = 1\n#         stepsize_jitter = 0\n";
  } else if (method == "optimize") {
    out << "#   optimize\n#     algorithm = lbfgs\n#     jacobian = " << args.whole("jacobian", 0)
        << "\n#     iter = " << args.whole("iter", 2000) << "\n#     save_iterations = 0\n";
  }
  out << "# id = " << id << "\n# data\n#   file = " << args.text("data.file")
      << "\n# init = " << args.text("init", "2")
      << "\n# random\n#   seed = " << args.text("seed", "1") << "\n# output\n#   file = "
      << args.text("output.file", "output.csv") << "\n#   sig_figs = "
      << args.whole("sig_figs", 6) << "\n";
}

// `output.csv` for one chain; `output_3.csv` for chain 3 of several.
std::string output_name(const Arguments& args, int id, int chains) {
  std::string name = args.text("output.file", "output.csv");
  if (chains == 1) return name;
  const auto dot = name.rfind(".csv");
  return name.substr(0, dot) + "_" + std::to_string(id) + ".csv";
}

int sample(stan::model::model_base& model, stan::io::var_context& init, const Arguments& args,
           unsigned int seed, int id, double radius, stan::callbacks::logger& logger,
           stan::callbacks::writer& out) {
  stan::callbacks::interrupt interrupt;
  stan::callbacks::writer nothing;
  const int warmup = args.whole("num_warmup", 1000), draws = args.whole("num_samples", 1000);
  const int thin = args.whole("thin", 1), refresh = args.whole("refresh", 100);
  const int depth = args.whole("max_depth", 10);
  const bool save_warmup = args.text("save_warmup", "0") != "0";
  const double step = args.number("stepsize", 1);
  if (args.whole("engaged", 1) == 0 || warmup == 0)
    return stan::services::sample::hmc_nuts_diag_e(
        model, init, seed, id, radius, warmup, draws, thin, save_warmup, refresh, step, 0.0, depth,
        interrupt, logger, nothing, out, nothing);
  return stan::services::sample::hmc_nuts_diag_e_adapt(
      model, init, seed, id, radius, warmup, draws, thin, save_warmup, refresh, step, 0.0, depth,
      args.number("delta", 0.8), 0.05, 0.75, 10.0, 75u, 50u, 25u, interrupt, logger, nothing, out,
      nothing);
}

template <bool jacobian>
int optimize(stan::model::model_base& model, stan::io::var_context& init, const Arguments& args,
             unsigned int seed, int id, double radius, stan::callbacks::logger& logger,
             stan::callbacks::writer& out) {
  stan::callbacks::interrupt interrupt;
  stan::callbacks::writer nothing;
  return stan::services::optimize::lbfgs<stan::model::model_base, jacobian>(
      model, init, seed, id, radius, args.whole("history_size", 5), args.number("init_alpha", 0.001),
      args.number("tol_obj", 1e-12), args.number("tol_rel_obj", 1e4), args.number("tol_grad", 1e-8),
      args.number("tol_rel_grad", 1e7), args.number("tol_param", 1e-8), args.whole("iter", 2000),
      false, args.whole("refresh", 100), interrupt, logger, nothing, out);
}

// The draws of Laplace's approximation around a mode that is given as constrained parameters.
int laplace(stan::model::model_base& model, const Arguments& args, unsigned int seed,
            stan::callbacks::logger& logger, stan::callbacks::writer& out) {
  stan::callbacks::interrupt interrupt;
  const Context mode = read_json(args.text("mode"));
  std::vector<int> whole;
  std::vector<double> q;
  model.transform_inits(*mode, whole, q, &std::cerr);
  const Eigen::VectorXd center = Eigen::Map<Eigen::VectorXd>(q.data(), q.size());
  return stan::services::laplace_sample<true>(model, center, args.whole("draws", 1000), seed,
                                              args.whole("refresh", 100), interrupt, logger, out);
}

int pathfinder(stan::model::model_base& model, stan::io::var_context& init, const Arguments& args,
               unsigned int seed, int id, double radius, stan::callbacks::logger& logger,
               stan::callbacks::writer& out) {
  stan::callbacks::interrupt interrupt;
  stan::callbacks::writer nothing;
  stan::callbacks::structured_writer no_diagnostics;
  return stan::services::pathfinder::pathfinder_lbfgs_single(
      model, init, seed, id, radius, args.whole("history_size", 5), args.number("init_alpha", 0.001),
      args.number("tol_obj", 1e-12), args.number("tol_rel_obj", 1e4), args.number("tol_grad", 1e-8),
      args.number("tol_rel_grad", 1e7), args.number("tol_param", 1e-8),
      args.whole("max_lbfgs_iters", 1000), args.whole("num_elbo_draws", 25),
      args.whole("num_draws", 1000), false, args.whole("refresh", 100), interrupt, logger, nothing,
      out, no_diagnostics);
}

int variational(stan::model::model_base& model, stan::io::var_context& init, const Arguments& args,
                unsigned int seed, int id, double radius, stan::callbacks::logger& logger,
                stan::callbacks::writer& out) {
  stan::callbacks::interrupt interrupt;
  stan::callbacks::writer nothing;
  const auto family = args.text("algorithm", "meanfield") == "fullrank"
                          ? stan::services::experimental::advi::fullrank<stan::model::model_base>
                          : stan::services::experimental::advi::meanfield<stan::model::model_base>;
  return family(model, init, seed, id, radius, args.whole("grad_samples", 1),
                args.whole("elbo_samples", 100), args.whole("iter", 10000),
                args.number("tol_rel_obj", 0.01), args.number("eta", 1.0), true, 50,
                args.whole("eval_elbo", 100), args.whole("output_samples", 1000), interrupt, logger,
                nothing, out, nothing);
}

int log_prob(stan::model::model_base& model, const Arguments& args, std::ostream& out) {
  const Context point = read_json(args.text("constrained_params"));
  std::vector<int> whole;
  std::vector<double> q, gradient;
  model.transform_inits(*point, whole, q, &std::cerr);
  const double lp = args.whole("jacobian", 1)
                        ? stan::model::log_prob_grad<true, true>(model, q, whole, gradient, &std::cerr)
                        : stan::model::log_prob_grad<true, false>(model, q, whole, gradient, &std::cerr);
  std::vector<std::string> names;
  model.unconstrained_param_names(names, false, false);
  out << "lp__";
  for (const auto& name : names) out << ",g_" << name;
  out << "\n" << lp;
  for (const double g : gradient) out << "," << g;
  out << "\n";
  return 0;
}

int run(int argc, char** argv) {
  const Arguments args(argc, argv);
  if (argc > 1 && std::string(argv[1]) == "info") {
    std::cout << "stan_version_major = " << stan::MAJOR_VERSION << "\n"
              << "stan_version_minor = " << stan::MINOR_VERSION << "\n"
              << "stan_version_patch = " << stan::PATCH_VERSION << "\nSTAN_THREADS=false\n";
    return 0;
  }
  const std::string method = args.text("method", "sample");
  const unsigned int seed = std::stoul(args.text("seed", "1"));
  const int first = args.whole("id", 1);
  const int chains = args.whole("num_chains", 1);
  const Context data = read_json(args.text("data.file"));
  stan::model::model_base& model = new_model(*data, seed, &std::cout);
  const std::string init_text = args.text("init", "2");
  const bool from_file = init_text.find_first_not_of("0123456789.e+-") != std::string::npos;
  const double radius = from_file ? 2.0 : std::stod(init_text);
  stan::callbacks::stream_logger logger(std::cout, std::cout, std::cout, std::cerr, std::cerr);
  int code = 0;
  for (int id = first; id < first + chains; ++id) {
    std::ofstream out(output_name(args, id, chains));
    out.precision(args.whole("sig_figs", 6));
    header(out, args, method, id);
    TableWriter writer(out);
    const Context init = read_json(from_file ? init_text : "");
    if (method == "sample")
      code |= sample(model, *init, args, seed, id, radius, logger, writer);
    else if (method == "optimize" && args.whole("jacobian", 0))
      code |= optimize<true>(model, *init, args, seed, id, radius, logger, writer);
    else if (method == "optimize")
      code |= optimize<false>(model, *init, args, seed, id, radius, logger, writer);
    else if (method == "laplace")
      code |= laplace(model, args, seed, logger, writer);
    else if (method == "pathfinder")
      code |= pathfinder(model, *init, args, seed, id, radius, logger, writer);
    else if (method == "variational")
      code |= variational(model, *init, args, seed, id, radius, logger, writer);
    else if (method == "log_prob")
      code |= log_prob(model, args, out);
    else
      throw std::runtime_error("method " + method + " is not spoken here");
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
