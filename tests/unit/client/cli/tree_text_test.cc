#include "client/cli/tree_text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "client/cli/text.h"
#include "tests/unit/client/cli/view_of.h"

namespace pycroscope {
namespace {

// main calls work (which calls leaf) and rest.
constexpr char kSamples[] =
    "0 7 600 main (/srv/app/main.py:10);work (/srv/app/work.py:20);leaf (/srv/app/work.py:30)\n"
    "700 7 300 main (/srv/app/main.py:10);work (/srv/app/work.py:21)\n"
    "1000 7 100 main (/srv/app/main.py:11);rest (/srv/app/main.py:40)\n";

TEST(TreeText, ChainsGoDownAndBranchesAreDrawn) {
  EXPECT_EQ(tree_text(test::view_of(kSamples, v1::VIEW_KIND_TREE), 0),
            "  TOTAL     SELF  FUNCTION\n"
            "100.0 %           all\n"
            " 90.0 %           ├─ main (/srv/app/main.py:10)\n"
            " 60.0 %           │  ├─ work (/srv/app/work.py:20)\n"
            " 60.0 %   60.0 %  │  │  ╰ leaf (/srv/app/work.py:30)\n"
            " 30.0 %   30.0 %  │  └─ work (/srv/app/work.py:21)\n"
            " 10.0 %           └─ main (/srv/app/main.py:11)\n"
            " 10.0 %   10.0 %     ╰ rest (/srv/app/main.py:40)\n");
}

TEST(TreeText, LinesKeepToTheWidth) {
  const std::string text = tree_text(test::view_of(kSamples, v1::VIEW_KIND_TREE), 44);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 44u) << line;
  EXPECT_NE(text.find("…/app/main.py:10"), std::string::npos) << text;
}

TEST(TreeText, NothingOfAViewWithoutATree) {
  EXPECT_EQ(tree_text(test::view_of(kSamples, v1::VIEW_KIND_THREADS), 0), "");
}

TEST(TreeText, NamesCannotMoveTheCursor) {
  const std::string text = tree_text(test::view_of("0 7 10 evil\x1b[2J (/a.py:1)\n", v1::VIEW_KIND_TREE), 0);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("evil\\x1b[2J"), std::string::npos) << text;
}

// An answer of a broken service: indices that lead nowhere, columns that are too short.
TEST(TreeText, DamagedAnswersAreDrawnAsFarAsTheyGo) {
  v1::View view = test::view_of(kSamples, v1::VIEW_KIND_TREE);
  view.mutable_tree()->set_parent(2, 4'000'000'000);
  view.mutable_tree()->set_frame(1, 4'000'000'000);
  view.mutable_tree()->clear_self_cpu_ns();
  const std::string text = tree_text(view, 80);
  EXPECT_NE(text.find("─ ?"), std::string::npos) << text;
  view.mutable_symbols()->Clear();
  EXPECT_NE(tree_text(view, 80), "");
}

// Drawing must not need a stack as deep as the tree.
TEST(TreeText, VeryDeepTrees) {
  v1::View view = test::view_of("0 7 10 f (/a.py:1)\n", v1::VIEW_KIND_TREE);
  constexpr uint32_t kDepth = 20'000;
  for (uint32_t i = static_cast<uint32_t>(view.tree().parent_size()); i < kDepth; ++i) {
    view.mutable_tree()->add_parent(i - 1);
    view.mutable_tree()->add_frame(0);
  }
  const std::string text = tree_text(view, 80);
  EXPECT_EQ(static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n')), kDepth + 1);
}

}  // namespace
}  // namespace pycroscope
