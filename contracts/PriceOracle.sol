// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IAggregatorV3} from "./interfaces/IAggregatorV3.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title PriceOracle
/// @notice {documentation: IPriceOracle}
contract PriceOracle is IPriceOracle, Ownable2Step {
    using FixedMath for int256;

    uint256 public constant MAX_FEEDS = 9;

    struct Feed {
        address aggregator;
        uint8 decimals;
    }

    struct Source {
        uint32 heartbeat;
        uint64 maxDeviation;
        uint8 quorum;
        uint8 count;
    }

    mapping(uint16 market => Source) private _sources;
    mapping(uint16 market => mapping(uint256 index => Feed)) private _feeds;

    constructor(address owner) Ownable(owner) {}

    /// @inheritdoc IPriceOracle
    function setFeeds(uint16 market, OracleConfig calldata config) external onlyOwner {
        uint256 count = config.feeds.length;
        if (count == 0 || count > MAX_FEEDS) revert InvalidFeeds(market, "between 1 and 9 feeds");
        if (config.quorum == 0 || config.quorum > count) revert InvalidFeeds(market, "quorum between 1 and all feeds");
        if (config.heartbeat == 0) revert InvalidFeeds(market, "heartbeat above zero");
        if (config.maxDeviation >= uint256(FixedMath.UNIT)) revert InvalidFeeds(market, "deviation below 100 %");
        _sources[market] = Source(config.heartbeat, config.maxDeviation, config.quorum, uint8(count));
        for (uint256 i = 0; i < count; i++) {
            uint8 decimals = IAggregatorV3(config.feeds[i]).decimals();
            if (decimals > 36) revert InvalidFeeds(market, "at most 36 decimals");
            _feeds[market][i] = Feed(config.feeds[i], decimals);
        }
        emit FeedsSet(market, config);
    }

    /// @inheritdoc IPriceOracle
    function configOf(uint16 market) external view returns (OracleConfig memory config) {
        Source memory source = _sources[market];
        config.heartbeat = source.heartbeat;
        config.maxDeviation = source.maxDeviation;
        config.quorum = source.quorum;
        config.feeds = new address[](source.count);
        for (uint256 i = 0; i < source.count; i++) {
            config.feeds[i] = _feeds[market][i].aggregator;
        }
    }

    /// @inheritdoc IPriceOracle
    function price(uint16 market) external view returns (int256, uint256) {
        Source memory source = _sources[market];
        if (source.count == 0) revert NoFeeds(market);
        int256[] memory prices = new int256[](source.count);
        uint256[] memory times = new uint256[](source.count);

        uint256 fresh = 0;
        for (uint256 i = 0; i < source.count; i++) {
            (int256 answer, uint256 updatedAt) = _read(_feeds[market][i]);
            if (answer == 0 || block.timestamp > updatedAt + source.heartbeat) continue;
            _insert(prices, times, fresh++, answer, updatedAt);
        }
        if (fresh < source.quorum) revert StalePrice(market, fresh, source.quorum);

        int256 center = _median(prices, 0, fresh);
        uint256 first = 0;
        uint256 end = fresh;
        while (first < end && _deviates(prices[first], center, source.maxDeviation)) first++;
        while (end > first && _deviates(prices[end - 1], center, source.maxDeviation)) end--;
        if (end - first < source.quorum) revert QuorumNotMet(market, end - first, source.quorum);

        uint256 oldest = times[first];
        for (uint256 i = first + 1; i < end; i++) {
            if (times[i] < oldest) oldest = times[i];
        }
        return (_median(prices, first, end), oldest);
    }

    /// @dev A feed's answer in 1e18, or zero when it has none that counts: it reverts, is not positive, leaves the
    /// supported range, or comes from the future.
    function _read(Feed memory feed) private view returns (int256 answer, uint256 updatedAt) {
        try IAggregatorV3(feed.aggregator).latestRoundData() returns (
            uint80, int256 answer_, uint256, uint256 updatedAt_, uint80
        ) {
            if (answer_ <= 0 || answer_ > type(int128).max || updatedAt_ == 0 || updatedAt_ > block.timestamp) {
                return (0, 0);
            }
            answer = _scale(answer_, feed.decimals);
            if (answer > FixedMath.PRICE_MAX) return (0, 0);
            updatedAt = updatedAt_;
        } catch {
            return (0, 0);
        }
    }

    function _scale(int256 answer, uint8 decimals) private pure returns (int256) {
        if (decimals <= 18) return answer * int256(10 ** (18 - decimals));
        return answer.divFloor(int256(10 ** (decimals - 18)));
    }

    /// @dev Keeps the first `count + 1` prices in ascending order; equal prices in the order in which they came.
    function _insert(
        int256[] memory prices,
        uint256[] memory times,
        uint256 count,
        int256 answer,
        uint256 updatedAt
    ) private pure {
        uint256 i = count;
        while (i > 0 && prices[i - 1] > answer) {
            prices[i] = prices[i - 1];
            times[i] = times[i - 1];
            i--;
        }
        prices[i] = answer;
        times[i] = updatedAt;
    }

    /// @dev The median of ascending `prices[first ... end - 1]`.
    function _median(int256[] memory prices, uint256 first, uint256 end) private pure returns (int256) {
        uint256 middle = (first + end) >> 1;
        if ((end - first) & 1 == 1) return prices[middle];
        return (prices[middle - 1] + prices[middle]).divFloor(2);
    }

    function _deviates(int256 answer, int256 center, uint64 maxDeviation) private pure returns (bool) {
        return (answer - center).abs() * FixedMath.UNIT > center * int256(uint256(maxDeviation));
    }
}
