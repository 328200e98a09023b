#include "train/core/gloo_workers.h"

#include <ATen/ATen.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

namespace plm::train {
namespace {

// How long a worker waits for one that is silent before it gives up. A worker that dies closes its
// connections, which the others see at once.
constexpr std::chrono::seconds kPatience(300);

std::string environment(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread is started
  return text == nullptr ? "" : text;
}

class GlooWorkers : public Workers {
 public:
  GlooWorkers(WorkerPlace place, c10::intrusive_ptr<c10d::Store> store,
              c10::intrusive_ptr<c10d::Backend> group)
      : place_(place), store_(std::move(store)), group_(std::move(group)) {}

  int64_t rank() const override { return place_.rank; }
  int64_t count() const override { return place_.count; }

  void sum(at::Tensor& numbers) override {
    std::vector<at::Tensor> tensors{numbers};
    group_->allreduce(tensors)->wait();
  }

  void begin_sum(const at::Tensor& numbers) override {
    std::vector<at::Tensor> tensors{numbers};
    pending_.push_back({group_->allreduce(tensors), {}, {}});
  }

  void begin_sum_part(const at::Tensor& whole, const at::Tensor& part) override {
    at::Tensor result = at::empty_like(part);
    at::Tensor input = whole;
    pending_.push_back({group_->_reduce_scatter_base(result, input), result, part});
  }

  void finish() override {
    for (Pending& pending : pending_) {
      pending.work->wait();
      if (pending.result.defined()) pending.target.copy_(pending.result);
    }
    pending_.clear();
  }

  void gather_parts(const at::Tensor& whole, const at::Tensor& part) override {
    at::Tensor output = whole;
    at::Tensor input = part.clone();
    group_->_allgather_base(output, input)->wait();
  }

  void wait_for_all() override { group_->barrier()->wait(); }

 private:
  struct Pending {
    c10::intrusive_ptr<c10d::Work> work;
    at::Tensor result, target;  // undefined where the work is in place
  };
  WorkerPlace place_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> group_;
  std::vector<Pending> pending_;
};

}  // namespace

Result<std::unique_ptr<Workers>> join_gloo_workers(const WorkerPlace& place, at::Device device) {
  if (!device.is_cpu()) {
    return make_error(ErrorKind::unsupported,
                      "device: found {}, workers on GPUs need NCCL, which is not built in", device.str());
  }
  const std::string host = environment("MASTER_ADDR");
  const std::string port_text = environment("MASTER_PORT");
  uint16_t port = 0;
  const auto [end, code] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (host.empty() || code != std::errc() || end != port_text.data() + port_text.size() || port == 0) {
    return make_error(ErrorKind::invalid_argument,
                      "MASTER_ADDR and MASTER_PORT: found \"{}\" and \"{}\", expected a host and a port",
                      host, port_text);
  }
  try {
    c10d::TCPStoreOptions options;
    options.port = port;
    // torchrun's own process serves the store; otherwise the first worker does.
    options.isServer = place.rank == 0 && environment("TORCHELASTIC_USE_AGENT_STORE") != "True";
    options.numWorkers = static_cast<size_t>(place.count);
    options.waitWorkers = false;
    options.timeout = kPatience;
    c10::intrusive_ptr<c10d::Store> store = c10::make_intrusive<c10d::TCPStore>(host, options);
    // torchrun starts workers again after a failure, with the same store.
    const std::string round = "plm/" + environment("TORCHELASTIC_RESTART_COUNT");
    store = c10::make_intrusive<c10d::PrefixStore>(round, store);
    auto gloo = c10d::ProcessGroupGloo::Options::create(kPatience);
    gloo->devices.push_back(host == "localhost" || host == "127.0.0.1"
                                ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                : c10d::ProcessGroupGloo::createDefaultDevice());
    auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(place.rank),
                                                             static_cast<int>(place.count), gloo);
    return std::unique_ptr<Workers>(std::make_unique<GlooWorkers>(place, store, group));
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    return make_error(ErrorKind::io, "cannot join the other workers at {}:{}: {}", host, port,
                      text.substr(0, text.find('\n')));
  }
}

}  // namespace plm::train
